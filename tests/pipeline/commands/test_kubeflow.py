import importlib
import json
import subprocess
import sys

import command_line
import pytest
import yaml

from judging.judgement import Verdict
from pipeline.cluster import run_local as runs
from pipeline.cluster import submit as submits
from pipeline.cluster import verdict as verdicts
from pipeline.cluster.run_local import LocalRun, TaskFailed


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "my.yaml").write_text("name: mine\ndata: {root: gs://bucket/images}\n")
    spec = {
        "pipelineInfo": {"name": "mine"},
        "root": {
            "dag": {"tasks": {}},
            "inputDefinitions": {
                "parameters": {
                    "data_root": {"defaultValue": "gs://bucket/images"},
                    "span": {"defaultValue": "newest"},
                }
            },
        },
        "deploymentSpec": {"executors": {}},
        "components": {},
    }
    (tmp_path / "compiled.yaml").write_text(yaml.safe_dump(spec))
    return tmp_path


def siamese(*arguments):
    return command_line.siamese("kubeflow", *arguments)


@pytest.mark.parametrize("command", ["compile", "submit", "run-local"])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_has_help_with_an_example(command, option):
    result = siamese(command, option)
    assert result.exit_code == 0
    assert f"siamese kubeflow {command}" in result.everything


def test_starts_without_tensorflow_and_kfp():
    code = "import pipeline.commands.kubeflow, sys;"
    code += "import pipeline.cluster.run_local, pipeline.cluster.checks, pipeline.cluster.vertex;"
    code += "import pipeline.cluster.kubeflow_pipelines;"
    code += "slow = ('tensorflow', 'tfx', 'kfp', 'google.cloud.aiplatform');"
    code += "print([name for name in slow if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def override(**values):
    return [word for key, value in values.items() for word in ("--set", f"kubeflow.{key}={value}")]


CLUSTER = override(image="registry/siamese:1", pipeline_root="gs://b/p")
VERTEX = ("--platform", "vertex")
SPAN = ("--param", "span=7")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "none.yaml"], "none.yaml: cannot be read"),
        (["compile", "my.yaml", "-o", "a.txt"], "a.txt: must end in .yaml"),
        (["compile", "my.yaml"], "kubeflow.image: is required"),
        (["submit", "my.yaml"], "kubeflow.image: is required"),
        (["submit", "my.yaml", "--param", "epoch=1"], "the names are data_root"),
        (["submit", "my.yaml", *override(image="i")], "kubeflow.pipeline_root: is required"),
        (
            ["submit", "my.yaml", *override(image="i", pipeline_root="/here")],
            "/here is a path of one machine",
        ),
        (["submit", "my.yaml", *CLUSTER], "kubeflow.endpoint: is required"),
        (["submit", "my.yaml", *CLUSTER, *VERTEX], "kubeflow.vertex.project: is required"),
        (["submit", "my.yaml", *CLUSTER, "--platform", "azure"], "'kubeflow', 'vertex'"),
        (["submit", "my.yaml", *CLUSTER, "--cron", "0 3 * * *"], "'0 0 3 * * *'"),
        (["submit", "my.yaml", *CLUSTER, *SPAN], "data root gs://bucket/images has no {SPAN}"),
        (
            ["run-local", "compiled.yaml", *SPAN],
            "--param span=7: the data root gs://bucket/images has no {SPAN}",
        ),
        (
            ["run-local", "compiled.yaml", *SPAN, "--param", "data_root=/few"],
            "--param span=7: the data root /few has no {SPAN}",
        ),
        (["run-local", "none.yaml"], "none.yaml: cannot be read as a compiled pipeline"),
        (
            ["run-local", "compiled.yaml", "--pipeline-root", "s3://bucket/runs"],
            "--pipeline-root s3://bucket/runs: is not a local folder",
        ),
        (
            ["run-local", "compiled.yaml", "--pipeline-root", "my.yaml/runs"],
            "--pipeline-root my.yaml/runs: ",
        ),
        (["run-local", "compiled.yaml", "--set", "a=1"], "use --param, or compile it again"),
        (["run-local", "compiled.yaml", "--within", "no-docker run"], "no command no-docker"),
        (["run-local", "compiled.yaml", "--within", "env 'a"], "env 'a: No closing quotation"),
        (["run-local", "my.yaml", "--within", "env {image}"], "kubeflow.image: is required"),
    ],
)
def test_wrong_use_is_one_sentence(arguments, message):
    result = siamese(*arguments)
    assert result.exit_code == 2, result.everything
    assert message in result.everything
    assert "Traceback" not in result.everything


LOST = ("--set", "push.destination=/models")
MOUNTED = ("--set", "kubeflow.volumes=[{claim: models, path: /models}]")


@pytest.mark.parametrize("output", ["a.json", "a.yaml"])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (LOST, "push.destination: /models is a path of this machine"),
        (("--set", "data.root=images"), "is a path of this machine"),
        (("--set", "kubeflow.pipeline_root=/runs"), "/runs is a path of one machine"),
        (("--set", "judge.unknown=unknown"), "judge.unknown: unknown is a path of this machine"),
    ],
)
def test_compile_refuses_what_submit_refuses(monkeypatch, output, settings, message, place):
    platform = "vertex" if output.endswith("json") else "kubeflow"
    compiled = siamese("compile", "my.yaml", "-o", output, *CLUSTER, *settings)
    submitted = siamese("submit", "my.yaml", "--platform", platform, *CLUSTER, *settings)
    for result in (compiled, submitted):
        assert result.exit_code == 2, result.everything
        assert message in result.everything
    assert not (place / output).exists()


def test_compile_for_vertex_refuses_a_volume(place):
    """Vertex AI has none: the model would be written into the container, and lost."""
    result = siamese("compile", "my.yaml", "-o", "a.json", *CLUSTER, *LOST, *MOUNTED)
    assert result.exit_code == 2, result.everything
    assert "kubeflow.volumes: Vertex AI has none" in result.everything
    assert not (place / "a.json").exists()


SUBMIT = ("submit", "my.yaml", *CLUSTER, *override(endpoint="http://127.0.0.1:9"))


def test_an_unreachable_endpoint_is_one_sentence():
    pytest.importorskip("kfp.client")
    result = siamese(*SUBMIT)
    assert result.exit_code == 1
    assert "http://127.0.0.1:9 cannot be reached" in result.everything


def test_a_missing_kfp_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "kfp", None)
    result = siamese(*SUBMIT)
    assert result.exit_code == 2
    assert "make setup EXTRAS=kubeflow" in result.everything


OUTCOMES = [("blessed", 0), ("not_blessed", 3), ("undecided", 4)]


def verdict(outcome):
    return Verdict(outcome=outcome, checks=(), reasons=("40 images would do",))


@pytest.mark.parametrize(("outcome", "code"), OUTCOMES)
def test_a_local_runs_exit_code_is_the_verdict(monkeypatch, tmp_path, outcome, code):
    ended = LocalRun(tmp_path, verdict(outcome), None if code else "/serving/7", {})
    monkeypatch.setattr(runs, "run", lambda *arguments: ended)
    result = siamese("run-local", "compiled.yaml")
    assert result.exit_code == code
    assert ": 40 images would do." in result.stdout
    assert ("Pushed to /serving/7" in result.stdout) is (code == 0)
    assert ("Nothing was pushed." in result.stdout) is (code != 0)
    printed = json.loads(siamese("run-local", "compiled.yaml", "--json").stdout)
    assert printed == {
        "outcome": outcome,
        "reasons": ["40 images would do"],
        "pushed_to": ended.pushed_to,
        "folder": str(tmp_path),
    }


class FakeService:
    """Takes a pipeline, and runs it at once."""

    def submit(self, *arguments):
        return submits.Submitted("r1", "http://link")

    def status(self, run_id):
        return submits.RunStatus("SUCCEEDED", {"Trainer": "SUCCEEDED"}, None)

    def gate_outputs(self, status, name):
        return verdicts.GateOutputs(f"gs://b/p/{name}/r1", None)


@pytest.fixture
def service(monkeypatch, place):
    monkeypatch.setattr(submits, "connect", lambda *arguments: FakeService())
    spec = (place / "compiled.yaml").read_text()
    command = importlib.import_module("pipeline.commands.kubeflow.submit")
    monkeypatch.setattr(command, "compile_to", lambda path, *_: path.write_text(spec))


@pytest.mark.parametrize(("outcome", "code"), OUTCOMES)
@pytest.mark.parametrize("platform", ["kubeflow", "vertex"])
def test_a_submitted_runs_exit_code_is_the_verdict(monkeypatch, service, outcome, code, platform):
    outputs = verdicts.GateOutputs("gs://b/p/mine/r1", None)
    monkeypatch.setattr(verdicts, "read_verdict", {outputs: verdict(outcome)}.get)
    result = siamese(*SUBMIT, "--platform", platform)
    assert result.exit_code == code, result.everything
    assert ": 40 images would do." in result.stdout
    assert "submitted, http://link" in result.stderr
    printed = json.loads(siamese(*SUBMIT, "--platform", platform, "--json").stdout)
    assert (printed["outcome"], printed["link"]) == (outcome, "http://link")


def test_without_waiting_the_run_is_printed(service):
    result = siamese(*SUBMIT, "--no-wait", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"outcome": None, "id": "r1", "link": "http://link"}


def test_an_unreadable_verdict_fails(monkeypatch, service):
    monkeypatch.setattr(verdicts, "read_verdict", lambda outputs: None)
    result = siamese(*SUBMIT)
    assert result.exit_code == 1
    assert "needs read access to gs://b/p" in result.everything


def test_a_local_run_gets_the_prefix_and_absolute_paths(monkeypatch, tmp_path):
    given = []

    def run(*arguments):
        given.extend(arguments)
        return LocalRun(tmp_path, verdict("blessed"), None, {})

    monkeypatch.setattr(runs, "run", run)
    assert siamese(
        "run-local", "compiled.yaml", "--param", "data_root=few", "--within",
        "env 'A=b c' {image}",
    ).exit_code == 0  # fmt: skip
    assert given[2] == {"data_root": str(tmp_path / "few")}  # a container has another folder
    assert given[-1] == ["env", "A=b c", "{image}"]


def test_a_failed_task_shows_its_log(monkeypatch, tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("INFO:absl:noise\nthe error\n")

    def fail(*arguments):
        raise TaskFailed("Trainer", "out of memory", log)

    monkeypatch.setattr(runs, "run", fail)
    result = siamese("run-local", "compiled.yaml")
    assert result.exit_code == 1
    assert "Failed in Trainer" in result.everything
    assert "out of memory" in result.everything
    assert "the error" in result.everything
    assert "noise" not in result.everything
