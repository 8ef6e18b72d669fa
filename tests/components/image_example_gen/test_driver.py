"""The driver: which span of images, and the fingerprint by which TFX finds cached results."""

import os

import pytest
from ingestion import properties
from sample_images import encoded, picture, write_classes

from base.errors import DataError
from records import features


@pytest.fixture
def root(tmp_path):
    write_classes(tmp_path / "data")
    return tmp_path / "data"


class TestFingerprint:
    """TFX's cache takes the same fingerprint for the same images."""

    def of(self, root, **settings):
        return properties(root, **settings)["input_fingerprint"]

    def test_unchanged_images_keep_it(self, root):
        os.symlink("loop", root / "class-0" / "loop")
        assert self.of(root) == self.of(root)

    def test_a_new_a_changed_and_a_removed_file_change_it(self, root):
        seen = {self.of(root)}
        new = root / "class-1" / "new.png"
        new.write_bytes(encoded(picture(1, 99)))
        seen.add(self.of(root))
        os.utime(new, (1, 1))
        seen.add(self.of(root))
        (root / "class-0" / "0.png").unlink()
        seen.add(self.of(root))
        assert len(seen) == 4

    def test_a_new_class_changes_it_even_without_images(self, root):
        before = self.of(root)
        (root / "class-3").mkdir()
        assert self.of(root) != before

    def test_a_new_file_deep_in_split_folders_changes_it(self, tmp_path):
        for split in features.SPLITS:
            write_classes(tmp_path / split, each=3)
        before = self.of(tmp_path)
        (tmp_path / "test" / "class-0" / "new.png").write_bytes(b"x")
        assert self.of(tmp_path) != before


class TestSpans:
    def test_what_cannot_be_a_span_is_told(self, tmp_path):
        for name in ("span-1", "span-old"):
            write_classes(tmp_path / "data" / name, classes=1, each=1)
        with pytest.raises(DataError, match=r"must have a number there: .*span-old"):
            properties(tmp_path / "data" / "span-{SPAN}")

    def test_no_span_at_all(self, tmp_path):
        (tmp_path / "data").mkdir()
        with pytest.raises(DataError, match="has no span that matches"):
            properties(tmp_path / "data" / "span-{SPAN}")
