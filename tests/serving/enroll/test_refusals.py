"""What is left out and what is refused."""

import numpy as np
import pytest
import tensorflow as tf
from encoded_images import png_bomb
from exported_model import write_images
from sample_images import encoded, picture

from serving import class_images
from serving import enroll as module
from serving.class_images import EnrollError, Unusable
from serving.enroll import enroll
from serving.next_version import VersionError
from tests.serving.enroll.small_model import NEW, versions


def test_unusable_images_are_left_out_and_told(base, new):
    (new / "a.jpg").write_bytes(b"")
    (new / "b.txt").write_text("no image")
    (new / "big.png").write_bytes(encoded(picture(7, 9, 80)))
    (new / "bomb.png").write_bytes(png_bomb())
    (new / "sub").mkdir()
    (new / ".hidden").write_text("")
    (new / "THUMBS.DB").write_text("")
    done = enroll(base, {NEW: new})
    assert done.added == {NEW: 4}
    reasons = {one.file.name: one.reason for one in done.unusable}
    assert reasons.keys() == {"a.jpg", "b.txt", "big.png", "bomb.png", "sub"}
    assert reasons["a.jpg"] == "is empty"
    assert "more pixels than the data.max_pixels" in reasons["big.png"]
    assert done.unusable[0] == Unusable(new / "a.jpg", "is empty")


def test_a_class_without_a_usable_image_is_refused(base, tmp_path, monkeypatch, loaded):
    monkeypatch.setattr(module, "_load", lambda _: loaded)
    bad = tmp_path / "bad"
    bad.mkdir()
    with pytest.raises(EnrollError, match=r"bad: holds no usable image of 'bad'$"):
        enroll(base, {"bad": bad})
    for i in range(12):
        (bad / f"{i:02}.png").write_bytes(b"")
    with pytest.raises(EnrollError, match=r"(?s)bad/00\.png is empty.*09\.png.*\n  and 2 more$"):
        enroll(base, {"bad": bad})
    assert versions(base) == ["1"]


def test_an_embedding_that_is_no_number_is_not_taken(base, new, monkeypatch, loaded):
    monkeypatch.setattr(module, "_load", lambda _: loaded)
    monkeypatch.setattr(class_images.np, "isfinite", lambda row: np.zeros(row.shape, bool))
    with pytest.raises(EnrollError, match="has an embedding that is not finite"):
        enroll(base, {NEW: new})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "there is nothing to do"),
        ({"add": ["class-0"]}, "has 'class-0' already; --extend adds"),
        ({"add": ["other"], "extend": True}, "cannot extend 'other'; the classes are 'class-0', "),
        ({"add": ["class-0"], "remove": ["class-0"], "extend": True}, "cannot extend 'class-0'"),
        ({"remove": ["other"]}, "cannot remove 'other'; the classes are 'class-0', 'class-1', "),
        ({"remove": ["class-0", "class-1"]}, "would be left with 'class-2'; at least two"),
        ({"remove": ["class-0", "class-1", "class-2"]}, "would be left with no class"),
        ({"add": [" "]}, "a class's name is one line of text"),
        ({"add": ["a\nb"]}, r"'a\\nb': a class's name is one line of text"),
    ],
)
def test_what_cannot_be_done_is_said(base, new, options, message, monkeypatch, loaded):
    monkeypatch.setattr(module, "_load", lambda _: loaded)
    add = {name: new for name in options.pop("add", [])}
    with pytest.raises(EnrollError, match=message):
        enroll(base, add, **options)
    assert versions(base) == ["1"]


def test_folders_that_are_none_of_a_class(base, tmp_path, monkeypatch, loaded):
    monkeypatch.setattr(module, "_load", lambda _: loaded)
    with pytest.raises(EnrollError, match="nowhere: there is no such folder"):
        enroll(base, {"x": tmp_path / "nowhere"})
    write_images(tmp_path / "all/class-9", 9, [0])
    with pytest.raises(EnrollError, match="holds folders only"):
        enroll(base, {"x": tmp_path / "all"})


def test_models_that_are_none_of_ours(new, tmp_path):
    with pytest.raises(VersionError, match="nowhere: there is no such folder"):
        enroll(tmp_path / "nowhere", {NEW: new})
    with pytest.raises(VersionError, match="holds neither a SavedModel"):
        enroll(new, {NEW: new})
    tf.saved_model.save(tf.Module(), str(tmp_path / "other/1"))
    with pytest.raises(EnrollError, match="train the model again"):
        enroll(tmp_path / "other", {NEW: new})
    (tmp_path / "other/1/saved_model.pb").write_bytes(b"no proto")
    with pytest.raises(EnrollError, match="cannot be loaded"):
        enroll(tmp_path / "other", {NEW: new})
