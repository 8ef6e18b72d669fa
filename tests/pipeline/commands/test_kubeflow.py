import subprocess
import sys

import command_line
import pytest
import yaml

from judging.judgement import Verdict
from pipeline.cluster import run_local as runs
from pipeline.cluster import submit as submits
from pipeline.cluster import verdict as verdicts
from pipeline.cluster.run_local import Outcome, TaskFailed
from pipeline.commands import kubeflow as cluster_cli


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
def test_every_command_has_help_with_an_example(command):
    result = siamese(command, "--help")
    assert result.exit_code == 0
    assert f"siamese kubeflow {command}" in result.everything


def test_starts_without_tensorflow_and_kfp():
    code = "import pipeline.commands.kubeflow, sys;"
    code += "import pipeline.cluster.run_local, pipeline.cluster.submit;"
    code += "print([m for m in ('tensorflow', 'tfx', 'kfp') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compile", "none.yaml"], "none.yaml: cannot be read"),
        (["compile", "my.yaml", "-o", "a.txt"], "a.txt: name it .yaml"),
        (["compile", "my.yaml"], "kubeflow.image: is needed"),
        (["submit", "my.yaml"], "kubeflow.pipeline_root: is needed"),
        (["submit", "my.yaml", "--param", "epoch=1"], "the names are data_root"),
        (
            ["submit", "my.yaml", "--set", "kubeflow.pipeline_root=/here"],
            "/here is a path of one machine",
        ),
        (
            ["submit", "my.yaml", "--set", "kubeflow.pipeline_root=gs://b/p"],
            "kubeflow.endpoint: is needed",
        ),
        (
            [
                "submit",
                "my.yaml",
                "--set",
                "kubeflow.pipeline_root=gs://b/p",
                "--cron",
                "0 3 * * *",
            ],
            "'0 0 3 * * *'",
        ),
        (
            ["submit", "my.yaml", "--param", "span=7"],
            "the data root gs://bucket/images has no {SPAN}",
        ),
        (
            ["run-local", "compiled.yaml", "--param", "span=7"],
            "--param span=7: the data root gs://bucket/images has no {SPAN}",
        ),
        (
            ["run-local", "compiled.yaml", "--param", "span=7", "--param", "data_root=/few"],
            "--param span=7: the data root /few has no {SPAN}",
        ),
        (["run-local", "none.yaml"], "none.yaml: cannot be read as a compiled pipeline"),
        (
            ["run-local", "compiled.yaml", "--pipeline-root", "s3://bucket/runs"],
            "--pipeline-root s3://bucket/runs: is no local folder",
        ),
        (
            ["run-local", "compiled.yaml", "--pipeline-root", "my.yaml/runs"],
            "--pipeline-root my.yaml/runs: ",
        ),
        (["run-local", "compiled.yaml", "--set", "a=1"], "use --param, or compile anew"),
        (["run-local", "compiled.yaml", "--within", "no-docker run"], "no command no-docker"),
        (["run-local", "compiled.yaml", "--within", "env 'a"], "env 'a: No closing quotation"),
        (["run-local", "my.yaml", "--within", "env {image}"], "kubeflow.image: is needed"),
    ],
)
def test_wrong_use_is_one_sentence(arguments, message):
    result = siamese(*arguments)
    assert result.exit_code == 2, result.everything
    assert message in result.everything
    assert "Traceback" not in result.everything


SUBMIT = ("submit", "my.yaml", "--set", "kubeflow.pipeline_root=gs://b/p", "--set",
          "kubeflow.endpoint=http://127.0.0.1:9")  # fmt: skip


def test_an_endpoint_that_is_not_there_is_one_sentence():
    pytest.importorskip("kfp.client")
    result = siamese(*SUBMIT)
    assert result.exit_code == 1
    assert "http://127.0.0.1:9 cannot be reached" in result.everything


def test_kfp_that_is_missing_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "kfp", None)
    result = siamese(*SUBMIT)
    assert result.exit_code == 2
    assert "make setup EXTRAS=kubeflow" in result.everything


OUTCOMES = [("blessed", 0), ("not_blessed", 3), ("undecided", 4)]


def verdict(outcome):
    return Verdict(outcome=outcome, checks=(), reasons=("40 images would do",))


@pytest.mark.parametrize(("outcome", "code"), OUTCOMES)
def test_a_local_runs_exit_code_is_the_verdict(monkeypatch, tmp_path, outcome, code):
    came_to = Outcome(tmp_path, verdict(outcome), None if code else "/serving/7", {})
    monkeypatch.setattr(runs, "run", lambda *arguments: came_to)
    result = siamese("run-local", "compiled.yaml")
    assert result.exit_code == code
    assert ": 40 images would do." in result.everything
    assert ("Pushed to /serving/7" in result.everything) is (code == 0)
    assert ("Nothing is pushed." in result.everything) is (code != 0)


@pytest.mark.parametrize(("outcome", "code"), OUTCOMES)
def test_a_submitted_runs_exit_code_is_the_verdict(monkeypatch, tmp_path, outcome, code):
    monkeypatch.setattr(verdicts, "read_verdict", {"gs://b/p/mine/r1": verdict(outcome)}.get)
    monkeypatch.setattr(submits, "Endpoint", FakeEndpoint)
    monkeypatch.setattr(cluster_cli, "_compile", lambda settings, path: None)
    monkeypatch.setattr(cluster_cli, "_tasks", lambda path: [])
    result = siamese(*SUBMIT)
    assert result.exit_code == code, result.everything
    assert ": 40 images would do." in result.everything


def test_a_login_that_others_can_read_is_warned_of(monkeypatch):
    monkeypatch.setenv("KFP_TOKEN", "secret")
    monkeypatch.setattr(submits, "Endpoint", FakeEndpoint)
    monkeypatch.setattr(cluster_cli, "_compile", lambda settings, path: None)
    monkeypatch.setattr(cluster_cli, "_tasks", lambda path: [])
    plain = ("--set", "kubeflow.endpoint=http://kubeflow.example", "--no-wait")
    result = siamese(*SUBMIT, *plain)
    assert result.exit_code == 0, result.everything
    assert "KFP_TOKEN can be read on the way to http://kubeflow.example" in result.stderr
    assert "can be read" not in siamese(*SUBMIT, "--no-wait").everything


def test_a_verdict_that_cannot_be_read_fails(monkeypatch):
    monkeypatch.setattr(verdicts, "read_verdict", lambda folder: None)
    monkeypatch.setattr(submits, "Endpoint", FakeEndpoint)
    monkeypatch.setattr(cluster_cli, "_compile", lambda settings, path: None)
    monkeypatch.setattr(cluster_cli, "_tasks", lambda path: [])
    result = siamese(*SUBMIT)
    assert result.exit_code == 1
    assert "gs://b/p must be readable on this machine" in result.everything


class FakeEndpoint:
    """Takes a pipeline, and runs it at once."""

    def __init__(self, kubeflow):
        pass

    def submit(self, *arguments):
        return submits.Submitted("r1", "http://link")

    def wait(self, *arguments):
        pass


def test_a_local_run_is_within_what_is_named(monkeypatch, tmp_path):
    given = []

    def run(*arguments):
        given.extend(arguments)
        return Outcome(tmp_path, verdict("blessed"), None, {})

    monkeypatch.setattr(runs, "run", run)
    assert siamese(
        "run-local", "compiled.yaml", "--param", "data_root=few", "--within",
        "env 'A=b c' {image}",
    ).exit_code == 0  # fmt: skip
    assert given[2] == {"data_root": str(tmp_path / "few")}  # wherever the container is
    assert given[-1] == ["env", "A=b c", "{image}"]


def test_a_failed_task_gives_its_log_and_exit_code_1(monkeypatch, tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("INFO:absl:noise\nwhat went wrong\n")

    def fail(*arguments):
        raise TaskFailed("Trainer", "out of memory", log)

    monkeypatch.setattr(runs, "run", fail)
    result = siamese("run-local", "compiled.yaml")
    assert result.exit_code == 1
    assert "Failed in Trainer" in result.everything
    assert "out of memory" in result.everything
    assert "what went wrong" in result.everything
    assert "noise" not in result.everything
