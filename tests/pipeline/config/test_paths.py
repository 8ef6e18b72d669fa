"""Paths in a configuration are relative to its file."""

import logging

import pytest

from pipeline.config import paths
from pipeline.config.errors import ConfigError
from pipeline.config.reading import dump, load

PATHS = """
name: mine
data: {root: ../data/digits}
model: {backbone: encoder.keras, weights: my.weights.h5}
judge: {unknown: unknown}
tuner: {reuse: found}
push: {destination: served}
artifacts: gs://bucket/folder
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The current folder; configurations are in a folder beside it."""
    paths._warn.cache_clear()
    (tmp_path / "here").mkdir()
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/my.yaml").write_text(PATHS)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def found(place, *overrides):
    config = load("../configs/my.yaml", overrides)
    return config, config.read_from | config.written_to | {"output": config.output}


def test_paths_are_relative_to_the_file(place):
    assert found(place)[1] == {
        "data.root": f"{place}/data/digits",
        "model.backbone": f"{place}/configs/encoder.keras",
        "model.weights": f"{place}/configs/my.weights.h5",
        "judge.unknown": f"{place}/configs/unknown",
        "tuner.reuse": f"{place}/configs/found",
        "push.destination": f"{place}/configs/served",
        "artifacts": "gs://bucket/folder/mine",
        "output": f"{place}/configs/runs",
    }


def test_names_are_no_paths(place):
    (place / "configs/my.yaml").write_text("data: {root: images}")
    model = found(place)[0].model
    assert (model.backbone, model.weights) == ("ResNet50", "imagenet")


def test_paths_below_the_current_folder_are_shown_from_there(place, monkeypatch):
    monkeypatch.chdir(place)
    assert load("configs/my.yaml").data.root == "data/digits"
    (place / "my.yaml").write_text("data: {root: data}")
    assert (load("my.yaml").data.root, load("my.yaml").output) == ("data", "runs")


def test_a_path_that_exists_in_the_current_folder_alone_is_taken_with_a_warning(place, caplog):
    (place / "configs/my.yaml").write_text("name: mine\ndata: {root: 'data/span-{SPAN}'}")
    (place / "here/data").mkdir()
    (place / "here/runs/mine").mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert found(place)[1] == {"data.root": "data/span-{SPAN}", "output": "runs"}
    assert [message.split(": ")[2] for message in caplog.messages] == ["data.root", "output"]
    assert "is taken from the current folder, since it is not in ../configs" in caplog.text
    (place / "configs/data").mkdir()
    assert found(place)[1]["data.root"] == f"{place}/configs/data/span-{{SPAN}}"


def test_paths_of_the_command_line_are_relative_to_the_current_folder(place):
    changed = found(place, "data.root=images", "push={destination: there}", "output=o")[1]
    assert changed["data.root"] == "images"
    assert changed["push.destination"] == "there"
    assert changed["output"] == "o"
    assert changed["tuner.reuse"] == f"{place}/configs/found"


def test_what_is_dumped_means_the_same_anywhere(place, monkeypatch):
    config, _ = found(place, "data.root=images", "output=o")
    (place / "kept.yaml").write_text(dump(config))
    monkeypatch.chdir(place)
    kept = load("kept.yaml")
    assert (kept.data.root, kept.output) == (f"{place}/here/images", f"{place}/here/o")


def test_the_traffic_store_is_relative_to_the_file(place):
    (place / "configs/my.yaml").write_text("data: {root: images}\ntraffic: {store: seen}")
    assert str(found(place)[0].traffic_store) == f"{place}/configs/seen"


@pytest.mark.parametrize(
    "key", ["artifacts", "push.destination", "judge.unknown", "tuner.reuse", "traffic.store"]
)
def test_an_empty_path_is_refused(place, key):
    message = f"my.yaml: {key}: is empty; give a path, or null for none"
    with pytest.raises(ConfigError, match=message):
        found(place, f'{key}=""')
    section, _, last = key.rpartition(".")
    text = f"{section}: {{{last}: ' '}}" if section else f"{last}: ' '"
    (place / "configs/my.yaml").write_text(f"data: {{root: images}}\n{text}\n")
    with pytest.raises(ConfigError, match=message):
        found(place)
    found(place, f"{key}=null")


def test_an_empty_path_that_is_needed_is_refused(place):
    with pytest.raises(ConfigError, match=r"output: is empty; give a path$"):
        found(place, 'output=""')


def test_a_path_without_folders_stays_a_path(place, monkeypatch):
    """Without its `./`, it would be the name of a network or of weights."""
    monkeypatch.chdir(place)
    (place / "my.yaml").write_text(
        "data: {root: images}\nmodel: {backbone: ./enc, weights: ./imagenet}\n"
    )
    read_from = load("my.yaml").read_from
    assert read_from["model.backbone"] == "./enc"
    assert read_from["model.weights"] == "./imagenet"
