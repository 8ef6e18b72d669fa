import os
from pathlib import Path

import pytest
from command_line import siamese
from sample_images import write_classes

from pipeline.commands.folder import config_file
from pipeline.config import reading
from pipeline.config.errors import ConfigError
from pipeline.config.from_folder import pipeline_name


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("data") / "Meine Bilder"
    write_classes(folder, each=4, size=100)
    return folder


def test_writes_what_was_decided_and_why(images):
    done = siamese("init", images, "-o", "parts.yaml")
    assert done.exit_code == 0
    assert done.stdout.strip() == Path("parts.yaml").read_text().strip()
    assert "# 12 files of 3 classes, 4 per class." in done.stdout
    assert "longer side is 100 pixels; 128 is the next multiple of 32" in done.stdout
    config = reading.load("parts.yaml")
    assert config.name == "meine-bilder"
    assert Path(config.data.root).samefile(images)
    assert config.image.size == 128


def test_a_named_pipe_among_the_images_blocks_nothing(images):
    os.mkfifo(images / "class-0" / "00.png")
    assert siamese("init", images).exit_code == 0


def test_overwrites_nothing(images):
    assert siamese("init", images).exit_code == 0
    done = siamese("init", images)
    assert done.exit_code == 2
    assert "meine-bilder.yaml: exists; remove it" in done.stderr


def test_a_folder_that_is_no_data_set_gets_no_file(images):
    done = siamese("init", images / "class-0")
    assert done.exit_code == 2
    assert "folder of one class" in done.stderr
    assert not list(Path().glob("*.yaml"))
    assert "no such folder" in siamese("init", "nowhere").stderr


def test_run_writes_the_file_beside_the_runs_and_uses_it_again(images):
    file = config_file(images)
    assert file == Path("runs/meine-bilder.yaml")
    assert reading.load(file).root == Path("runs/meine-bilder")
    file.write_text(file.read_text().replace("size: 128", "size: 64"))
    assert reading.load(config_file(images)).image.size == 64


def test_a_file_of_another_folder_is_not_used(images):
    config_file(images)
    other = Path("elsewhere") / images.name
    write_classes(other, each=3)
    with pytest.raises(ConfigError, match="is the configuration of data/Meine Bilder, not of"):
        config_file(other)


@pytest.mark.parametrize(
    ("folder", "name"),
    [("steel", "steel"), ("Prüfung 2", "prufung-2"), ("2026", "images-2026"), ("日本", "images")],
)
def test_the_name_comes_from_the_folder(tmp_path, folder, name):
    assert pipeline_name(tmp_path / folder) == name
