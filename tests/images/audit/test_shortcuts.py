"""Properties that tell the classes apart without being content."""

import numpy as np
import pytest
from PIL import Image
from sample_images import encoded, picture

from images.audit.collection import File, collect
from images.audit.separability import Histogram
from images.audit.shortcuts import find_shortcuts


def shortcuts(root, write, classes=2, each=20, resize="stretch"):
    """The findings, except those of the appearance; `write` encodes an image of a class."""
    files = []
    for label in range(classes):
        for number in range(each):
            # All of one kind, so that nothing but the way of saving tells classes apart.
            data = write(label, number, picture(0, label * 1000 + number, 48))
            path = root / f"class-{label}" / str(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            files.append(File(f"class-{label}/{number}", f"class-{label}"))
    found = find_shortcuts(collect(str(root), files, 10**7), resize)
    return [one for one in found if one.kind != "appearance"]


def with_camera(image, camera):
    tags = Image.Exif()
    tags[0x0110] = camera
    return encoded(image, "JPEG", exif=tags)


PLANTED = {
    "file format (class-0: PNG; class-1: JPEG)": lambda label, number, image: encoded(
        image, ("PNG", "JPEG")[label]
    ),
    "JPEG quality (class-0: 90; class-1: 30)": lambda label, number, image: encoded(
        image, "JPEG", quality=(90, 30)[label]
    ),
    "camera (EXIF) (class-0: Cam A; class-1: Cam B)": lambda label, number, image: with_camera(
        image, f"Cam {'AB'[label]}"
    ),
    "colour mode (class-0: colour; class-1: grey)": lambda label, number, image: encoded(
        image.convert(("RGB", "L")[label])
    ),
    "image width (class-0: 48; class-1: mostly 64)": lambda label, number, image: encoded(
        image.resize((64, 64)) if label and number else image
    ),
}


@pytest.mark.parametrize("words", PLANTED)
def test_a_shortcut_is_named(tmp_path, words):
    found = shortcuts(tmp_path, PLANTED[words])
    assert [one.text for one in found if one.grade == "warning"] == [
        f"The classes differ in {words}: a model can be right without looking at the content"
    ]


def test_one_class_of_many_with_its_own_size_is_named(tmp_path):
    def write(label, number, image):
        return encoded(image.resize((64, 64)) if label == 5 else image)

    (found,) = shortcuts(tmp_path, write, classes=8, each=10)
    assert "1 of 8 classes have their own, class-5: 64" in found.text


def test_images_of_one_kind_have_no_shortcut(tmp_path):
    assert shortcuts(tmp_path, lambda label, number, image: encoded(image)) == []


def test_mixed_cameras_and_sizes_are_no_shortcut(tmp_path):
    def write(label, number, image):
        side = (48, 56, 64)[number % 3]
        return with_camera(image.resize((side, side)), f"Cam {number % 4}")

    assert shortcuts(tmp_path, write) == []


def test_an_aspect_ratio_that_stretching_hides_is_a_note(tmp_path):
    def write(label, number, image):
        return encoded(image.resize((100 + 60 * label + number, 40)))

    (found,) = shortcuts(tmp_path, write)
    assert (found.kind, found.grade) == ("aspect_ratio", "note")
    assert "pad" in found.advice
    assert "aspect_ratio" not in [one.kind for one in shortcuts(tmp_path, write, resize="pad")]


def test_appearance_is_a_note_and_says_that_it_may_be_right(tmp_path):
    files = []
    for label in range(2):
        for number in range(20):
            path = tmp_path / f"class-{label}" / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            pixels = np.asarray(picture(0, 100 * label + number, 48)) // 3 + 120 * label
            path.write_bytes(encoded(Image.fromarray(pixels.astype(np.uint8))))
            files.append(File(f"class-{label}/{number}.png", f"class-{label}"))
    (found,) = find_shortcuts(collect(str(tmp_path), files, 10**7), "pad")
    assert (found.kind, found.grade) == ("appearance", "note")
    assert "mean brightness (100%)" in found.text


def test_chance_is_not_significant():
    random = np.random.default_rng(0)
    labels = ["a", "b"] * 30
    p_values = [Histogram(random.normal(size=60).tolist(), labels).p_value() for _ in range(10)]
    assert min(p_values) > 0.005
    assert Histogram([float(label == "a") for label in labels], labels).p_value() <= 0.001


def test_accuracy_is_leave_one_out():
    """A property with as many values as images tells nothing about the next image."""
    labels = ["a"] * 6 + ["b"] * 6
    names = [f"camera {i}" for i in range(12)]
    assert Histogram(names, labels).separability().accuracy == 0
