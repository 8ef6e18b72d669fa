"""Each planted fault is found, and clean data gives no finding."""

import cv2
import numpy as np
import pytest
from deep_images import KINDS
from fixed_camera import shots
from PIL import Image
from sample_images import encoded, picture

from images.audit.audit import audit
from images.audit.collection import File, collect, sample
from images.audit.copies import find_copies
from images.audit.properties import measure
from images.canonical import Region

CLASSES, EACH, SIDE = 3, 12, 64


@pytest.fixture
def clean():
    """Images by path: no two alike, nothing odd."""
    return {
        f"class-{label}/{number:02d}.png": textured(picture(label, number, SIDE))
        for label in range(CLASSES)
        for number in range(EACH)
    }


def textured(image):
    noise = np.random.default_rng(0).normal(0, 12, (SIDE, SIDE, 1))
    return worked(image, lambda pixels: pixels + noise)


def worked(image, change):
    return Image.fromarray(np.clip(change(np.asarray(image, np.float32)), 0, 255).astype(np.uint8))


def check(root, images, **options):
    """The findings by kind, of images or bytes by path."""
    for path, image in images.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(image if isinstance(image, bytes) else encoded(image))
    files = [File(path, path.split("/")[0]) for path in images]
    options = {"size": 64} | options
    found = audit(str(root), files, **options).findings
    return {one.kind: one for one in found if one.kind != "appearance"}


def test_clean_images_give_no_finding(tmp_path, clean):
    assert check(tmp_path, clean) == {}


ONE_IMAGE = {
    "blank": lambda image: Image.new("RGB", image.size, (90, 90, 90)),
    "dark": lambda image: worked(image, lambda pixels: pixels * 0.12),
    "bright": lambda image: worked(image, lambda pixels: pixels * 2 + 140),
    "bright, with edges": lambda image: worked(image, lambda pixels: pixels * 1.2 + 120),
    "blurred": lambda image: worked(image, lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 6)),
    "odd_size": lambda image: image.resize((12, 12)),
    "odd_shape": lambda image: image.resize((96, 24)),
    "depth": lambda image: Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257),
    "unusable": lambda image: encoded(image)[:200],
}


@pytest.mark.parametrize("kind", ONE_IMAGE)
def test_a_fault_of_one_image_is_found(tmp_path, clean, kind):
    clean["class-1/05.png"] = ONE_IMAGE[kind](clean["class-1/05.png"])

    found = check(tmp_path, clean)

    [one] = found.values()
    assert (one.kind, one.grade) == (kind.split(",")[0], "warning")
    assert [example.path for example in one.examples] == ["class-1/05.png"]


def test_nearly_blank_images_are_no_finding_where_a_class_looks_like_that(tmp_path, clean):
    random = np.random.default_rng(0)
    for number in range(EACH):
        smooth = np.full((SIDE, SIDE), 120) + random.integers(-2, 3, (SIDE, SIDE))
        clean[f"flawless/{number:02d}.png"] = Image.fromarray(smooth.astype(np.uint8))
    found = check(tmp_path, clean)
    assert "blank" not in found


def test_images_on_white_paper_are_not_over_exposed(tmp_path):
    images = {}
    for number in range(12):
        for label, side in ("round", 0), ("square", 1):
            paper = np.full((64, 64), 255, np.uint8)
            at = 24 + number
            if side:
                cv2.rectangle(paper, (at, 20), (at + 8, 28 + number), 0, 2)
            else:
                cv2.circle(paper, (at, 28), 6 + number // 3, 0, 2)
            images[f"{label}/{number}.png"] = Image.fromarray(paper)
    # Of so thin a stroke that 95 % of the pixels are white.
    paper = np.full((64, 64), 255, np.uint8)
    cv2.line(paper, (10, 10), (50, 40), 0, 1)
    images["round/thin.png"] = Image.fromarray(paper)
    assert not {"bright", "dark", "blank", "blurred"} & set(check(tmp_path, images))


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_frames_are_found(tmp_path, clean, kind):
    first, second = picture(0, 50, SIDE), picture(0, 51, SIDE)
    clean["class-0/50.png"] = encoded(first, kind, save_all=True, append_images=[second])
    assert check(tmp_path, clean)["frames"].files == 1


def test_copies_are_found(tmp_path, clean):
    clean["class-0/50.png"] = encoded(clean["class-0/00.png"])
    clean["class-1/50.jpg"] = encoded(clean["class-1/00.png"], "JPEG", quality=95)

    found = check(tmp_path, clean)

    assert found["copies"].examples[0].others == ("class-0/50.png",)
    assert found["near_duplicates"].examples[0].others == ("class-1/50.jpg",)
    assert {one.grade for one in found.values()} == {"note"}


def test_copies_in_given_splits_are_excluded(tmp_path, clean):
    clean["class-0/50.png"] = clean["class-0/00.png"]
    check(tmp_path, clean)
    files = [
        File(path, path.split("/")[0], split="test" if "50" in path else "train") for path in clean
    ]
    found = {one.kind: one for one in find_copies(collect(str(tmp_path), files, 10**6))}
    assert "a run excludes all but the held-out ones" in found["copies"].advice


def test_one_picture_of_two_classes_is_a_contradiction(tmp_path, clean):
    clean["class-1/50.png"] = encoded(clean["class-0/00.png"])
    found = check(tmp_path, clean)
    assert "copies" not in found
    assert found["contradiction"].grade == "warning"
    assert found["contradiction"].examples[0].other_labels == ("class-1",)


def test_pictures_of_a_fixed_camera_are_no_copies(tmp_path):
    taken = [Image.fromarray(pixels) for pixels in shots(30)]
    images = {
        f"{('good', 'scratch', 'dent')[number % 3]}/{number:02d}.png": image
        for number, image in enumerate(taken)
    }
    assert not {"contradiction", "near_duplicates"} & set(check(tmp_path, images))
    images["good/copy.jpg"] = encoded(taken[1], "JPEG", quality=90)
    found = check(tmp_path, images)["contradiction"].examples
    assert [(one.path, *one.others) for one in found] == [("scratch/01.png", "good/copy.jpg")]


def test_of_many_similar_pairs_the_most_similar_are_compared(tmp_path, clean):
    for number in range(4):
        copied = clean[f"class-1/0{number}.png"]
        clean[f"class-1/5{number}.jpg"] = encoded(copied, "JPEG", quality=60 + 10 * number)
    check(tmp_path, clean)
    images = collect(str(tmp_path), [File(path, path.split("/")[0]) for path in clean], 10**6)

    found = {one.kind: one for one in find_copies(images, max_pairs=2)}

    assert found["near_duplicates"].files == 2
    assert "the 2 most similar were compared" in found["many_alike"].text
    assert "many_alike" not in {one.kind for one in find_copies(images)}


def test_only_the_region_counts(tmp_path, clean):
    """Not the size of the pictures, nor what is around."""
    images = {}
    for number, (path, image) in enumerate(clean.items()):
        images[path] = Image.new("RGB", (SIDE + number, SIDE + 20), (number, 0, 0))
        images[path].paste(image, (0, 10))
    region = Region(0, 10, SIDE, SIDE)
    assert check(tmp_path, images, region=region) == {}
    images["class-0/00.png"] = Image.new("RGB", (SIDE, SIDE))
    [unusable] = check(tmp_path, images, region=region)["unusable"].examples
    assert unusable.detail == "has 64 x 64 pixels, but image.region ends at 64 x 74"


def test_a_blank_image_of_float_values_is_found(tmp_path):
    random = np.random.default_rng(0)
    values = random.normal(-0.2, 0.1, (24, 64, 64)).astype(np.float32)
    values[3] = 0.1
    images = {
        f"{'ab'[number % 2]}/{number:02d}.tif": encoded(Image.fromarray(one), "TIFF")
        for number, one in enumerate(values)
    }
    found = check(tmp_path, images)
    assert list(found) == ["blank"]
    assert [one.path for one in found["blank"].examples] == ["b/03.tif"]


@pytest.mark.parametrize("kind", KINDS)
def test_deep_images_are_measured_by_their_values(kind):
    data, values = KINDS[kind]
    found = measure(data)
    assert (found.height, found.width) == values.shape[:2]
    assert found.depth == (32 if kind in ("int32 TIFF", "float TIFF") else 16)
    assert found.highest == 65535
    if values.ndim == 2:
        assert found.levels[::6] == pytest.approx((values.min(), values.max()))
        assert found.thumbnail.min() == 0
    assert found.thumbnail.max() >= 254


def test_what_a_phone_appends_to_a_photograph_is_no_frame():
    photograph = picture(0, 0, SIDE)
    data = encoded(photograph, "MPO", save_all=True, append_images=[photograph.resize((8, 8))])
    assert (measure(data).format, measure(data).frames) == ("JPEG", 1)


def test_wrong_labels_are_found_in_all_images(tmp_path):
    images = {
        f"class-{label}/{number:02d}.png": picture(label, number, SIDE, spread=60)
        for label in range(CLASSES)
        for number in range(20)
    }
    assert "label_errors" not in check(tmp_path, images)
    wrong = {"class-0/90.png": picture(1, 90, SIDE, 60), "class-2/91.png": picture(0, 91, SIDE, 60)}

    found = check(tmp_path, images | wrong)["label_errors"]

    assert {one.path: one.detail.split(" (")[0] for one in found.examples} == {
        "class-0/90.png": "looks like class-1",
        "class-2/91.png": "looks like class-0",
    }
    assert set(found.examples[0].other_labels) == {found.examples[0].detail.split()[2]}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [1, SIDE])
def test_images_without_any_content_are_audited(tmp_path, side):
    images = {
        f"{label}/{number}.png": Image.new("L", (side, side), number + 100 * (label == "b"))
        for label in "ab"
        for number in range(20)
    }
    assert check(tmp_path, images)["blank"].files == 40


@pytest.mark.filterwarnings("error")
def test_classes_of_one_image_each_are_audited(tmp_path):
    images = {
        f"{label}/{number}.tif": encoded(picture(label, 0, SIDE), "TIFF", description=str(number))
        for label in range(2)
        for number in range(20)
    }
    assert check(tmp_path, images)["near_duplicates"].files


def test_meaningless_labels_are_not_called_wrong(tmp_path):
    random = np.random.default_rng(3)
    images = {
        f"class-{random.integers(2)}/{number}.png": picture(0, number, SIDE) for number in range(60)
    }
    assert check(tmp_path, images) == {}


def test_few_and_unbalanced_images_are_found(tmp_path):
    images = {f"large/{number}.png": picture(0, number, SIDE) for number in range(70)}
    images |= {f"small/{number}.png": picture(1, number, SIDE) for number in range(3)}
    found = check(tmp_path, images)
    assert "1 of 2 classes have fewer than 5 images: small (3)" in found["few_images"].text
    assert "Class large has 70 images and class small has 3" in found["imbalance"].text


def test_of_many_images_a_sample_is_read(tmp_path, clean):
    files = [File(path, path.split("/")[0]) for path in clean]
    chosen = sample(files, 15)
    assert [sum(file.label == f"class-{label}" for file in chosen) for label in range(3)] == [5] * 3
    assert chosen == sample(files[::-1], 15)
    check(tmp_path, clean)
    found = audit(str(tmp_path), files, max_images=15)
    assert (found.files, found.audited) == (36, 15)
    assert found.sizes == {"width": (64, 64, 64), "height": (64, 64, 64)}
