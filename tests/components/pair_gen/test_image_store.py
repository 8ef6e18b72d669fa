import time

import pytest

from components.pair_gen import image_store


def test_images_are_kept_until_the_context_ends(tmp_path):
    with image_store.image_store(str(tmp_path)) as folder:
        paths = [image_store.write(b"%d" % i, folder) for i in range(20)]
        assert len(set(paths)) == 20
        assert image_store.read(paths[::-1]) == [b"%d" % i for i in reversed(range(20))]
        again = image_store.write(b"0", folder)
        assert again not in paths  # whoever reads the first one is not disturbed
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_of_a_pipeline_that_failed(tmp_path):
    def fail():
        with image_store.image_store(str(tmp_path)) as folder:
            image_store.write(b"x", folder)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_objects_of_a_bucket_come_in_their_order(monkeypatch):
    def read(path):
        time.sleep(0.02 if path.endswith("/0") else 0)
        return path.encode()

    monkeypatch.setattr(image_store, "_read", read)
    paths = [f"s3://bucket/{i}" for i in range(20)]
    assert image_store.read(paths) == [path.encode() for path in paths]
