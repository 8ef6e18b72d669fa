"""Images of none of the classes, from a folder."""

import os

import apache_beam as beam
import pytest
from judge_views import clouds
from sample_images import encoded, picture

from base.errors import DataError
from components.judge import embedding, embedding_on_beam, unknown_images
from images import image_folder
from judging.gate import LAST_BLESSED
from records import training_keys
from records.lost import RecordsLost
from tests.components.judge.stand_in import WORSE


@pytest.fixture
def unknown(tmp_path, monkeypatch):
    """A folder of four images of none of the classes, read as numbers, and of unusable files."""
    folder = tmp_path / "unknown"
    (folder / "below").mkdir(parents=True)
    for i in range(3):
        (folder / f"{i}.png").write_bytes(encoded(picture(9, i)))
    (folder / "below" / "3.jpg").write_bytes(encoded(picture(9, 3), "JPEG"))
    (folder / "notes.txt").write_text("no image")
    (folder / "large.png").write_bytes(encoded(picture(9, 4, 120)))
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    for name in (".hidden", "Thumbs.db", "desktop.ini"):
        (folder / name).write_text("x")
    points, _ = clouds(1, 4, 0.3, 3, first=9)

    def as_numbers(source, max_pixels, read=unknown_images.read):
        one = read(source, max_pixels)
        if not isinstance(one, embedding.Item):
            return one
        number = int(os.path.basename(source)[:1])
        return one._replace(image=points[number].astype("<f4").tobytes())

    monkeypatch.setattr(unknown_images, "read", as_numbers)
    return folder


def test_unknown_images_of_a_folder(judging, saved, unknown):
    found = judging(saved("good"), unknown=str(unknown)).judgement
    assert found.unknown_by == "folder"
    assert found.metrics["open_set_auc"].images == 52
    assert found.metrics["open_set_auc"].value > 0.9
    assert found.images == 48
    assert found.invalid == {
        f"{unknown}/gone.png": "cannot be read: No such file or directory",
        f"{unknown}/large.png": "has 120 x 120 pixels, more than data.max_pixels (10000) allows",
        f"{unknown}/notes.txt": "is no image, or of a kind that cannot be read",
    }


def test_an_unknown_images_path_may_be_no_text(unknown):
    os.close(os.open(os.fsencode(unknown) + b"/\xff.png", os.O_CREAT | os.O_WRONLY))
    [odd] = [path for path in unknown_images.files(str(unknown)) if "\udcff" in path]
    found = unknown_images.read(os.fsencode(odd), 100)
    assert found == (os.fsencode(odd), "has a name that is not UTF-8; rename it")


def test_unknown_images_that_the_model_was_trained_on_are_excluded(judging, saved, unknown):
    keys = [training_keys.key_of_file((unknown / f"{i}.png").read_bytes()) for i in range(3)]
    candidate, before = saved("met", seen=keys[:1]), saved("met before", WORSE, seen=keys[1:])
    found = judging(candidate, before=before, unknown=str(unknown)).judgement
    assert found.invalid[f"{unknown}/0.png"] == "the model was trained on it"
    assert found.metrics["open_set_auc"].images == 51
    compared = found.compared[LAST_BLESSED]
    assert (compared.left_out, compared.unknown_left_out) == (0, 2)
    assert compared.differences["open_set_auc"].images == 49


def test_a_folder_without_a_usable_unknown_image_is_refused(judging, saved, unknown):
    keys = [training_keys.key_of_file(file.read_bytes()) for file in (unknown / "below").iterdir()]
    for i in range(3):
        (unknown / f"{i}.png").unlink()
    with pytest.raises(DataError) as told:
        judging(saved("met them", seen=keys), unknown=str(unknown))
    assert str(told.value) == (
        f"judge.unknown: none of the 4 files in {unknown} can be used as an image: gone.png: "
        "cannot be read: No such file or directory; large.png: has 120 x 120 pixels, more than "
        "data.max_pixels (10000) allows; notes.txt: is no image, or of a kind that cannot be read; "
        "and 1 more. Put images of none of the classes there, or leave judge.unknown out"
    )


def test_lost_unknown_images_are_an_error(judging, saved, unknown, monkeypatch):
    monkeypatch.setattr(embedding_on_beam, "ReadUnknown", _Loses)
    with pytest.raises(RecordsLost, match="4 of 7 unknown images were read: Beam's runner"):
        judging(saved("good"), unknown=str(unknown))


class _Loses(embedding_on_beam.ReadUnknown):
    """The reasons, on the way."""

    def expand(self, sources):
        items, reasons = super().expand(sources)
        return items, reasons | beam.Map(lambda _: "{}")


def test_the_fingerprint_follows_the_unknown_images(unknown):
    assert (unknown / "gone.png").is_symlink()  # what cannot be read does not stop it
    os.close(os.open(os.fsencode(unknown) + b"/\xff.png", os.O_CREAT | os.O_WRONLY))
    before = image_folder.fingerprint(str(unknown))
    assert image_folder.fingerprint(str(unknown)) == before
    (unknown / "0.png").write_bytes(encoded(picture(9, 50)))
    assert image_folder.fingerprint(str(unknown)) != before
    assert image_folder.fingerprint(str(unknown / "nowhere")) == ""
