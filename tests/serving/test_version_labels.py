import os

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from serving.version_labels import Labels, LabelsError, labels_file, read_labels, write_labels

LABELS = Labels("parts", "/models/parts", {"canary": 9, "stable": 7}, (7, 9))


@pytest.fixture
def file(tmp_path):
    return labels_file(tmp_path)


def test_what_is_written_is_read(file):
    assert read_labels(file) is None
    write_labels(file, LABELS)
    assert read_labels(file) == LABELS
    assert (LABELS.stable, LABELS.canary) == (7, 9)
    newest = Labels("parts", "/models/parts")
    write_labels(file, newest)
    assert read_labels(file) == newest
    assert newest.stable is newest.canary is None


def test_it_is_tensorflow_servings_own_format(file):
    write_labels(file, LABELS)
    with open(file) as opened:
        config = text_format.Parse(opened.read(), model_server_config_pb2.ModelServerConfig())
    [model] = config.model_config_list.config
    assert (model.name, model.base_path) == ("parts", "/models/parts")
    assert model.model_platform == "tensorflow"  # else the server refuses the file
    assert list(model.model_version_policy.specific.versions) == [7, 9]
    assert dict(model.version_labels) == {"canary": 9, "stable": 7}
    write_labels(file, Labels("parts", "/models/parts"))
    with open(file) as opened:
        config = text_format.Parse(opened.read(), model_server_config_pb2.ModelServerConfig())
    assert config.model_config_list.config[0].model_version_policy.latest.num_versions == 1


def test_the_old_file_stays_if_the_new_one_cannot_be_written(tmp_path, file, monkeypatch):
    write_labels(file, LABELS)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_labels(file, Labels("other", "/elsewhere"))
    assert read_labels(file) == LABELS
    assert os.listdir(tmp_path) == ["models.config"]


MODEL = 'config { name: "m" base_path: "/m" '


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("junk", "is no ModelServerConfig in text"),
        ("\xff", "is no ModelServerConfig in text"),
        (
            f"model_config_list {{ {MODEL} logging_config {{ }} }} }}",
            ".* does not keep .*logging_con",
        ),
        (f"model_config_list {{ {MODEL} }} {MODEL} }} }}", "names 2 models; it must name one"),
        ("model_config_list { }", "names 0 models"),
        (
            f"model_config_list {{ {MODEL} model_version_policy {{ all {{ }} }} }} }}",
            "has the policy `all`",
        ),
    ],
)
def test_what_would_be_lost_is_refused(tmp_path, file, text, said):
    (tmp_path / "models.config").write_bytes(text.encode("latin-1"))
    with pytest.raises(LabelsError, match=f"{file}: {said}"):
        read_labels(file)
