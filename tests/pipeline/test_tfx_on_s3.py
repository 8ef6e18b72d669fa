"""TFX's executors and file operations on s3://."""

import json
import tempfile

import pytest
from copying_executor import Executor
from s3 import Bucket, use_here
from tfx.dsl.io import fileio
from tfx.types.standard_artifacts import Examples, Model

from pipeline import tfx_on_s3
from pipeline.cluster import task

B = "s3://bucket"


@pytest.fixture
def bucket(s3_variables, monkeypatch, tmp_path):
    """A bucket with examples; temporary files go to `tmp`."""
    use_here(s3_variables, monkeypatch, tmp_path)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    made = Bucket("bucket", s3_variables)
    made.delete_all()
    made.put("examples/Split-test/x", b"text")
    monkeypatch.setattr(Executor, "Do", Executor.Do)  # is enabled, and must be undone
    tfx_on_s3.enable([Executor])
    yield made
    assert not list((tmp_path / "tmp").iterdir())


def artifacts(examples, model):
    found = Examples(), Model()
    for artifact, uri in zip(found, (examples, model), strict=True):
        artifact.uri = uri
    return found


def do(examples, model, **properties):
    context = Executor.Context(tmp_dir=f"{B}/tmp", unique_id="1")
    outputs = {"model": [model]}
    output = Executor(context).Do({"examples": [examples]}, outputs, properties)
    [returned] = output.output_artifacts["model"].artifacts
    assert returned == model.mlmd_artifact == outputs["model"][0].mlmd_artifact
    return model


def test_tensorflow_reads_and_writes_copies(bucket):
    examples, model = artifacts(f"{B}/examples", f"{B}/model/7")
    do(examples, model)
    assert (examples.uri, model.uri) == (f"{B}/examples", f"{B}/model/7")
    assert bucket.keys("model/") == ["model/7/about.json"]
    about = json.loads(bucket.get("model/7/about.json"))
    assert (about["text"], about["from"]) == ("text", f"{B}/examples")
    assert not about["temporary"].startswith(B)
    assert model.get_string_custom_property("trained_on") == f"{B}/examples/Split-test"


def test_a_failure_uploads_nothing_and_restores_the_addresses(bucket):
    examples, model = artifacts(f"{B}/examples", f"{B}/model/7")
    with pytest.raises(ZeroDivisionError):
        do(examples, model, fail=True)
    assert (examples.uri, model.uri) == (f"{B}/examples", f"{B}/model/7")
    assert bucket.keys("model/") == []


def test_local_artifacts_stay_where_they_are(bucket, tmp_path):
    (tmp_path / "examples/Split-test").mkdir(parents=True)
    (tmp_path / "examples/Split-test/x").write_text("here")
    (tmp_path / "model").mkdir()
    examples, model = artifacts(str(tmp_path / "examples"), str(tmp_path / "model"))
    Executor(Executor.Context(tmp_dir=str(tmp_path / "own"), unique_id="1")).Do(
        {"examples": [examples]}, {"model": [model]}, {}
    )
    assert json.loads((tmp_path / "model/about.json").read_text())["from"] == examples.uri


def test_a_task_of_a_cluster(bucket, tmp_path):
    message = {
        "inputs": {"artifacts": {"examples": {"artifacts": [{"uri": f"{B}/examples"}]}}},
        "outputs": {
            "outputFile": str(tmp_path / "out/executor_output.json"),
            "artifacts": {
                "model": {"artifacts": [{"name": "1", "uri": f"{B}/model/7", "type": {
                    "instanceSchema": "title: tfx.Model\ntype: object\n"}}]}
            },
        },
    }  # fmt: skip
    spec = {
        "artifacts": {
            "examples": {"artifactType": {"instanceSchema": "title: tfx.Examples\ntype: object\n"}}
        }
    }
    code = task.main(
        ["task", "--executor_class_path", "copying_executor.Executor",
         "--json_serialized_invocation_args", json.dumps(message),
         "--json_serialized_inputs_spec_args", json.dumps(spec)]
    )  # fmt: skip
    assert code == 0
    assert bucket.keys("model/") == ["model/7/about.json"]
    [told] = json.loads((tmp_path / "out/executor_output.json").read_text())["artifacts"]["model"][
        "artifacts"
    ]
    assert told["uri"] == f"{B}/model/7"
    assert told["metadata"]["trained_on"] == f"{B}/examples/Split-test"


def test_tfx_works_on_files_in_a_bucket(bucket, tmp_path):
    fileio.makedirs(f"{B}/new")
    with fileio.open(f"{B}/new/x", "w") as file:
        file.write("x")
    with pytest.raises(OSError, match="exists"):
        fileio.copy(f"{B}/examples/Split-test/x", f"{B}/new/x")
    fileio.copy(f"{B}/examples/Split-test/x", f"{B}/new/x", overwrite=True)
    fileio.rename(f"{B}/new/x", f"{B}/new/y")
    assert fileio.listdir(f"{B}/new") == ["y"]
    assert fileio.glob(f"{B}/*/y") == [f"{B}/new/y"]
    assert fileio.stat(f"{B}/new/y").length == 4
    assert fileio.stat(f"{B}/new").length == 0  # TFX asks it of the folders in a span
    with pytest.raises(FileNotFoundError):
        fileio.stat(f"{B}/none")
    fileio.copy(f"{B}/new/y", str(tmp_path / "y"))
    assert (tmp_path / "y").read_text() == "text"
    assert fileio.isdir(f"{B}/new")
    assert [place for place, _, _ in fileio.walk(B, topdown=False)][-1] == B
    fileio.rmtree(f"{B}/new")
    assert not fileio.exists(f"{B}/new")
