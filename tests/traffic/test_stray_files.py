import os

from traffic.rows import Kept
from traffic.store import TrafficStore
from traffic.stray_files import remove_stray_files


def test_old_files_in_no_row_are_removed(tmp_path):
    with TrafficStore(tmp_path, create=True) as store:
        kept = store.image_path(store.add_image(b"kept", Kept.RANDOM, 1.0))
        left, unfinished, recent = (
            kept.parent / name for name in ("f" * 64, f".{'e' * 64}.ab", "d" * 64)
        )
        for path in (left, unfinished, recent):
            path.write_bytes(b"x")
        for path in (kept, left, unfinished):
            os.utime(path, (0, 0))
        assert remove_stray_files(store) == 2
        assert sorted(kept.parent.iterdir()) == sorted([kept, recent])
