import time

import pytest

from components.pair_gen import image_store


def test_images_are_kept_until_the_context_ends(tmp_path):
    with image_store.image_store(str(tmp_path)) as folder:
        paths = [image_store.write(b"%d" % i, folder) for i in range(20)]
        assert len(set(paths)) == 20
        assert image_store.read(paths[::-1]) == [b"%d" % i for i in reversed(range(20))]
        again = image_store.write(b"0", folder)
        assert again not in paths  # readers of the first one are not disturbed
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


def test_what_killed_runs_have_left_is_deleted(tmp_path):
    pairs = tmp_path / "PairGen" / "pairs" / "7"
    (pairs / "images-1").mkdir(parents=True)
    (pairs / "images-1" / "x").touch()
    (pairs / "Split-train").mkdir()
    image_store.delete_left_behind(str(tmp_path))
    assert [path.name for path in pairs.iterdir()] == ["Split-train"]
    image_store.delete_left_behind(str(tmp_path / "new"))


def test_a_task_that_is_tried_again_deletes_what_the_first_try_has_left(tmp_path):
    (tmp_path / "images-1").mkdir()
    (tmp_path / "images-1" / "x").touch()
    (tmp_path / "Split-train").mkdir()
    with image_store.image_store(str(tmp_path)) as folder:
        assert {str(path) for path in tmp_path.iterdir()} == {folder, str(tmp_path / "Split-train")}


def test_a_failing_clean_up_does_not_hide_the_error_before_it(tmp_path, monkeypatch):
    def fail(folder):
        raise OSError

    def run():
        with image_store.image_store(str(tmp_path)):
            raise ArithmeticError

    monkeypatch.setattr(image_store, "_delete", fail)
    with pytest.raises(ArithmeticError):
        run()
