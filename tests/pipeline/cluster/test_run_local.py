"""Pipelines of tiny commands; `test_whole_run.py` runs the real one."""

import json
import signal
import subprocess
import sys

import pytest
import yaml
from processes import STAYS, ends, heed_signals, wait_until

from pipeline.cluster.compiled_file import Spec, read_spec
from pipeline.cluster.run_local import TaskFailed, fill_placeholders
from pipeline.cluster.run_local import run as run_spec
from pipeline.config.errors import ConfigError

BLESSING = {"instanceSchema": "title: tfx.ModelBlessing\ntype: object\n"}
PUSHED = {"instanceSchema": "title: tfx.PushedModel\ntype: object\n"}

# Keeps what it was given beside its outputs, and writes the metadata that the test has chosen.
WRITE = """
import json, sys, pathlib
given = json.loads(sys.argv[1])
file = pathlib.Path(given["outputs"]["outputFile"])
(file.parent / "given.json").write_text(sys.argv[1])
artifacts = {
    key: {"artifacts": [{"metadata": json.loads(sys.argv[2])}]}
    for key in given["outputs"]["artifacts"]
}
file.write_text(json.dumps({"artifacts": artifacts}))
"""


def pipeline(**tasks):
    """A spec; a task is (the tasks before it, its Python code or its metadata, its type)."""
    spec = {
        "pipelineInfo": {"name": "tiny"},
        "components": {},
        "deploymentSpec": {"executors": {}},
        "root": {
            "dag": {"tasks": {}},
            "inputDefinitions": {
                "parameters": {
                    "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 10},
                    "push_destination": {"parameterType": "STRING", "defaultValue": "gs://b/s"},
                }
            },
        },
    }
    for name, (before, does, kind) in tasks.items():
        spec["components"][name] = {
            "executorLabel": f"{name}_executor",
            "outputDefinitions": {"artifacts": {"out": {"artifactType": kind}}},
        }
        code, metadata = (does, {}) if isinstance(does, str) else (WRITE, does)
        spec["deploymentSpec"]["executors"][f"{name}_executor"] = {
            "container": {
                "image": "registry/image:1",
                "command": ["python", "-c", code],
                "args": ["{{$}}", json.dumps(metadata)],
            }
        }
        spec["root"]["dag"]["tasks"][name] = {
            "componentRef": {"name": name},
            "inputs": {
                "artifacts": {
                    one: {"taskOutputArtifact": {"producerTask": one, "outputArtifactKey": "out"}}
                    for one in before
                },
                "parameters": {
                    "epochs": {"componentInputParameter": "epochs"},
                    "to": {"componentInputParameter": "push_destination"},
                    "fixed": {"runtimeValue": {"constant": 1.0}},
                },
            },
        }
    return spec


def run(spec, *args, **more):
    return run_spec(Spec(spec), *args, report=str, **more)


def given(outcome, name):
    return json.loads((outcome.folder / name / "given.json").read_text())


def test_a_task_gets_what_kubeflow_would_pass_it(tmp_path):
    metadata = {"split_names": '["train"]', "count": 3.0, "many": [1], "nested": {"a": 1}}
    spec = pipeline(First=([], metadata, BLESSING), Second=(["First"], {}, PUSHED))
    outcome = run(spec, tmp_path, {"epochs": 2})
    first, second = given(outcome, "First"), given(outcome, "Second")
    assert first["inputs"]["parameterValues"] == {
        "epochs": 2,
        "fixed": 1.0,
        "to": str(tmp_path / "tiny/serving"),
    }
    [made] = first["outputs"]["artifacts"]["out"]["artifacts"]
    assert made["type"] == BLESSING
    [taken] = second["inputs"]["artifacts"]["First"]["artifacts"]
    assert taken == {  # no type, and lists and structs as ML Metadata keeps them
        "uri": made["uri"],
        "name": "1",
        "metadata": {**metadata, "many": {"list": [1]}, "nested": {"struct": {"a": 1}}},
    }


JUDGE = """
import json, sys, pathlib
given = json.loads(sys.argv[1])
here = pathlib.Path(given["outputs"]["artifacts"]["judgement"]["artifacts"][0]["uri"])
verdict = {"outcome": "undecided", "checks": [], "reasons": ["too few"]}
(here / "judgement.json").write_text(json.dumps({"verdict": verdict}))
"""


def test_returns_the_verdict(tmp_path):
    spec = pipeline(Judge=([], JUDGE, BLESSING))
    artifacts = spec["components"]["Judge"]["outputDefinitions"]["artifacts"]
    artifacts["judgement"] = artifacts.pop("out")
    outcome = run(spec, tmp_path, {})
    assert (outcome.verdict.outcome, outcome.verdict.reasons) == ("undecided", ("too few",))
    assert run(pipeline(Other=([], {}, BLESSING)), tmp_path, {}).verdict is None


@pytest.mark.parametrize("pushed", [1, 0])
def test_returns_where_the_model_was_pushed(tmp_path, pushed):
    spec = pipeline(Pusher=([], {"pushed": pushed, "pushed_destination": "/serving/7"}, PUSHED))
    outcome = run(spec, tmp_path, {})
    assert outcome.pushed_to == ("/serving/7" if pushed else None)


def test_each_command_runs_within_the_prefix(tmp_path):
    code = "import os; assert os.environ['WITHIN'] == 'registry/image:1'"
    with pytest.raises(TaskFailed):
        run(pipeline(One=([], code, BLESSING)), tmp_path, {})
    run(
        pipeline(One=([], code, BLESSING)),
        tmp_path,
        {},
        within=["env", "WITHIN={image}"],
    )


def test_a_failed_task_ends_the_run(tmp_path):
    spec = pipeline(
        Good=([], {}, BLESSING),
        Bad=(["Good"], "print('much noise'); import trainer.nothing", BLESSING),
        After=(["Bad"], {}, PUSHED),
    )
    with pytest.raises(TaskFailed) as caught:
        run(spec, tmp_path, {})
    assert caught.value.task == "Bad"
    assert "the image registry/image:1 has no module 'trainer.nothing'" in caught.value.reason
    assert "much noise" in caught.value.log.read_text()
    assert not (caught.value.log.parents[1] / "After").exists()


def test_an_unknown_failure_gives_the_exit_code(tmp_path):
    with pytest.raises(TaskFailed, match="Bad: ended with exit code 9"):
        run(pipeline(Bad=([], "raise SystemExit(9)", BLESSING)), tmp_path, {})


def test_circular_tasks_are_refused(tmp_path):
    spec = pipeline(One=(["Two"], {}, BLESSING), Two=(["One"], {}, BLESSING))
    with pytest.raises(ConfigError, match="One, Two"):
        run(spec, tmp_path, {})


def test_independent_tasks_run_at_once(tmp_path):
    meet = """
import pathlib, sys, time
here = pathlib.Path({0!r}) / {1!r}
here.write_text("")
while not all((here.parent / name).exists() for name in ("One", "Two")): time.sleep(0.01)
"""
    codes = {name: meet.format(str(tmp_path), name) for name in ("One", "Two")}
    spec = pipeline(**{name: ([], code, BLESSING) for name, code in codes.items()})
    run(spec, tmp_path / "root", {}, jobs=2)  # else they would wait for ever


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_ends_the_tasks_and_their_children(tmp_path, sign):
    starts = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}, {!r}])"
    stay = {name: starts.format(STAYS, str(tmp_path / name)) for name in ("One", "Two")}
    spec = pipeline(**{name: ([], code, BLESSING) for name, code in stay.items()})
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(spec))
    siamese = [sys.executable, "-c", "from pipeline.cli import main; main()"]
    run_local = [*siamese, "kubeflow", "run-local", "tiny.yaml", "--jobs", "2"]
    process = subprocess.Popen(
        run_local, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heed_signals
    )
    for name in stay:
        wait_until((tmp_path / name).exists)
    process.send_signal(sign)
    assert process.communicate(timeout=30)[1].strip().endswith("Stopped.")
    assert process.returncode == 130
    for name in stay:
        assert ends(int((tmp_path / name).read_text()))


def test_takes_an_imported_artifact(tmp_path):
    spec = pipeline(Import=([], {}, PUSHED), Second=(["Import"], {}, BLESSING))
    spec["deploymentSpec"]["executors"]["Import_executor"] = {
        "importer": {"artifactUri": {"constant": "/found"}, "typeSchema": PUSHED}
    }
    outcome = run(spec, tmp_path, {})
    [taken] = given(outcome, "Second")["inputs"]["artifacts"]["Import"]["artifacts"]
    assert taken["uri"] == "/found"


def test_unknown_and_missing_parameters_are_refused(tmp_path):
    spec = pipeline(One=([], {}, BLESSING))
    with pytest.raises(ConfigError, match="parameter epoch: unknown; the pipeline has epochs"):
        run(spec, tmp_path, {"epoch": 1})
    del spec["root"]["inputDefinitions"]["parameters"]["epochs"]["defaultValue"]
    with pytest.raises(ConfigError, match="parameter epochs: has no default"):
        run(spec, tmp_path, {})


def test_a_pipeline_root_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = pipeline(One=([], {}, BLESSING))
    (tmp_path / "file").touch()
    message = r"--pipeline-root file: .*/file/tiny/\w+ cannot be created \(Not a directory\)"
    with pytest.raises(ConfigError, match=message):
        run(spec, "file", {})
    with pytest.raises(ConfigError, match=r"--pipeline-root s3://b/runs: is not a local folder"):
        run(spec, "s3://b/runs", {})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_fills_each_placeholder():
    executor_input = {
        "inputs": {
            "parameterValues": {"a": "text", "n": 2},
            "artifacts": {"model": {"artifacts": [{"uri": "/model"}]}},
        },
        "outputs": {"artifacts": {"out": {"artifacts": [{"uri": "/out"}]}}},
    }
    filled = fill_placeholders(
        [
            "x={{$.inputs.parameters['a']}},{{$.inputs.parameters['n']}}",
            "{{$.inputs.artifacts['model'].uri}}:{{$.outputs.artifacts['out'].path}}",
            "{{$}}",
        ],
        executor_input,
    )
    assert filled[:2] == ["x=text,2", "/model:/out"]
    assert json.loads(filled[2]) == executor_input


def test_reads_both_kinds_of_files(tmp_path):
    spec = pipeline(One=([], {}, BLESSING))
    (tmp_path / "a.yaml").write_text(yaml.safe_dump_all([spec, {"platforms": {}}]))
    (tmp_path / "a.json").write_text(json.dumps({"pipelineSpec": spec}))
    assert read_spec(tmp_path / "a.yaml").tasks == read_spec(tmp_path / "a.json").tasks


@pytest.mark.parametrize("text", ["a: 1\n", "- 1\n", "", "{", None])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "a.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"a\.yaml: (is not|cannot be read as) a compiled"):
        read_spec(path)
