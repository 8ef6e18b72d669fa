import json
import os
import subprocess
import sys

import pytest
from command_line import siamese
from sample_images import encoded, picture, write_classes

HEAVY = ("tensorflow", "keras", "tfx", "apache_beam")


@pytest.fixture
def shortcut(tmp_path):
    """Two classes that differ in file format only."""
    for label, (kind, options) in {"good": ("PNG", {}), "bad": ("JPEG", {"quality": 25})}.items():
        for number in range(15):
            path = tmp_path / "parts" / label / f"{number}.{kind.lower()}"
            path.parent.mkdir(parents=True, exist_ok=True)
            seed = number + 100 * (label == "bad")
            path.write_bytes(encoded(picture(0, seed, 48), kind, **options))
    return tmp_path / "parts"


def test_names_a_shortcut(shortcut):
    found = siamese("check", shortcut)
    assert found.exit_code == 0
    words = " ".join(found.stdout.split())
    assert "30 files of 2 classes; JPEG, PNG; 48 x 48 pixels; colour, 8 bits" in words
    assert "The classes differ in file format (bad: JPEG; good: PNG)" in words


def test_strict_fails_on_a_warning(shortcut, tmp_path):
    assert siamese("check", shortcut, "--strict").exit_code == 3
    write_classes(tmp_path / "clean", each=12)
    assert siamese("check", tmp_path / "clean", "--strict").exit_code == 0


def test_json_and_a_configuration(shortcut, tmp_path):
    config = tmp_path / "parts.yaml"
    config.write_text("data: {root: parts}")
    found = siamese("check", config, "--json")
    audit = json.loads(found.stdout)
    assert audit["files"] == audit["audited"] == 30
    assert [one["kind"] for one in audit["findings"] if one["grade"] == "warning"] == ["shortcut"]


def test_a_folder_is_audited_for_the_size_that_a_run_would_choose(shortcut):
    kinds = {
        one["kind"] for one in json.loads(siamese("check", shortcut, "--json").stdout)["findings"]
    }
    assert "small" not in kinds
    found = siamese("check", shortcut, "--set", "image.size=224", "--json")
    assert "small" in {one["kind"] for one in json.loads(found.stdout)["findings"]}


def test_the_address_of_a_bucket_is_refused_by_name():
    found = siamese("check", "s3://bucket/images")
    assert found.exit_code == 2
    assert "s3://bucket/images: only local folders can be named here" in found.stderr


def test_loads_neither_tensorflow_nor_tfx(shortcut):
    code = (
        "import sys; from pipeline.cli import main\n"
        f"try: main(['check', {str(shortcut)!r}, '--json'])\n"
        f"finally: print(*[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    assert done.returncode == 0, done.stderr
    assert not set(HEAVY) & set(done.stderr.split())


def test_a_folder_that_is_no_data_set_is_wrong_use(shortcut, tmp_path):
    assert "folder of one class" in siamese("check", shortcut / "good").stderr
    for label in "ab":
        (tmp_path / "texts" / label).mkdir(parents=True)
        (tmp_path / "texts" / label / "notes.txt").write_text("nothing")
    found = siamese("check", tmp_path / "texts")
    assert found.exit_code == 2
    assert "holds no image that can be read" in found.stderr
    (tmp_path / "empty").mkdir()
    assert "sub-folder per class" in siamese("check", tmp_path / "empty").stderr
    (tmp_path / "only").mkdir()
    shortcut.rename(tmp_path / "only" / "parts")
    found = siamese("check", tmp_path / "only")
    assert found.exit_code == 2
    assert "('bad', 'good') are the classes, set data.root to" in found.stderr
