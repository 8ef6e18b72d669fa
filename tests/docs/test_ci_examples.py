"""The examples of CI/CD: valid, and their commands do what they are there for."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from pipeline.config import reading as config

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / "docs" / "ci"
GITHUB = yaml.safe_load((CI / "github-actions.yml").read_text())
GITLAB = yaml.safe_load((CI / "gitlab-ci.yml").read_text())

ACTIONS = {"actions/checkout", "actions/setup-python", "actions/cache", "actions/upload-artifact"}

SCRIPTED = """#!/usr/bin/env python3
import os, pathlib, sys
command, *arguments = sys.argv[1:]
code = int(os.environ.get(f"CODE_OF_{command}", 0))
with open("calls.txt", "a") as calls:
    print(command, *arguments, file=calls)
if command == "gate" and code not in (1, 2):
    for option in ("--junit", "--markdown"):
        path = arguments[arguments.index(option) + 1]
        if path == "-":
            print(f"### exit code {code}")
        else:
            pathlib.Path(path).write_text(f"### exit code {code}")
sys.exit(code)
"""

# As pip writes it for an interpreter whose path has a space: Python skips what the shell runs.
REAL = f"""#!/bin/sh
'''exec' "{sys.executable}" "$0" "$@"
' '''
import atexit, pathlib, sys
from pipeline.cli import main

heavy = ("apache_beam", "ml_metadata", "tensorflow_model_analysis")
atexit.register(
    lambda: pathlib.Path("imported.txt").write_text(" ".join(m for m in heavy if m in sys.modules))
)
main()
"""


@pytest.fixture
def place(tmp_path):
    """A checkout in which `make setup` makes a scripted `siamese`."""
    (tmp_path / "docs").mkdir()
    shutil.copytree(CI, tmp_path / "docs/ci")
    _script(tmp_path / "bin/make", '#!/bin/sh\n[ "$*" = setup ] && mv made .venv\n')
    _script(tmp_path / "made/bin/siamese", SCRIPTED)
    return tmp_path


def _script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _bash(place, text, variables, strict=False):
    options = ["--noprofile", "--norc", "-eo", "pipefail"] if strict else ["-e"]
    done = subprocess.run(
        ["bash", *options, "-c", text],
        cwd=place, capture_output=True, text=True,
        env={
            **os.environ,
            **{name: str(value) for name, value in variables.items()},
            "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
    )  # fmt: skip
    print(done.stdout, done.stderr)
    return done


def github(place, job, **variables):
    """The job's exit code and what it said; actions are passed over, as if they worked."""
    said = ""
    for step in GITHUB["jobs"][job]["steps"]:
        if "uses" in step:
            name, _, version = step["uses"].partition("@")
            assert name in ACTIONS, "a new action: can it be left out here?"
            assert version
            continue
        summary = {"GITHUB_STEP_SUMMARY": place / "summary.md"}
        done = _bash(
            place,
            step["run"],
            {**GITHUB["jobs"][job]["env"], **summary, **variables},
            step.get("shell") == "bash",
        )
        said += done.stdout
        if done.returncode:
            return done.returncode, said
    return 0, said


def gitlab(place, job, **variables):
    """The job's exit code: 4 where that is to be a warning."""
    script = [*GITLAB["default"]["before_script"], *GITLAB[job]["script"]]
    done = _bash(place, "\n".join(script), {**GITLAB[job]["variables"], **variables}, strict=True)
    return done.returncode, done.stdout


def _summary(place):
    return (place / "summary.md").read_text() if (place / "summary.md").exists() else ""


@pytest.mark.parametrize(
    ("code", "expected"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 0)], ids=lambda x: str(x)
)
def test_github_judges_a_model(place, code, expected):
    found, said = github(place, "gate", CODE_OF_gate=code)
    assert found == expected
    assert _summary(place) == ("" if code in (1, 2) else f"### exit code {code}")
    assert (place / "gate.xml").exists() is (code not in (1, 2))
    assert ("::warning" in said) is (code == 4)
    assert (place / "calls.txt").read_text() == (
        "gate --model serving --images labelled --thresholds docs/ci/gate.yaml --junit gate.xml "
        "--markdown gate.md\n"
    )


def test_github_may_fail_for_too_few_images(place):
    code, said = github(place, "gate", CODE_OF_gate=4, TOO_FEW_IMAGES="fail")
    assert (code, "::warning" in said) == (4, False)
    assert _summary(place) == "### exit code 4"


@pytest.mark.parametrize(
    ("of_run", "of_gate", "expected"), [(0, 0, 0), (3, 3, 3), (4, 4, 4), (1, 0, 1), (2, 0, 2)]
)
def test_both_run_the_pipeline(place, of_run, of_gate, expected):
    variables = {"CODE_OF_run": of_run, "CODE_OF_gate": of_gate}
    other = place / "other"
    shutil.copytree(place, other)
    for found, folder in (
        (github(place, "pipeline", **variables), place),
        (gitlab(other, "pipeline", **variables), other),
    ):
        # A run that failed is a failure whatever its code was.
        assert found[0] == expected or (of_run in (1, 2) and found[0])
        calls = (folder / "calls.txt").read_text().splitlines()
        commands = [call.split()[0] for call in calls]
        assert commands == ["sample-data", "run", *(["gate"] if of_run not in (1, 2) else [])]
        if of_run not in (1, 2):
            assert (folder / "gate.md").read_text().startswith(f"### exit code {of_gate}")
            assert (folder / "gate.xml").exists()
    if of_run not in (1, 2):
        assert _summary(place) == f"### exit code {of_gate}\n"


@pytest.mark.parametrize("code", range(5))
def test_gitlab_judges_a_model(place, code):
    assert gitlab(place, "gate", CODE_OF_gate=code)[0] == code
    assert GITLAB["gate"]["allow_failure"] == {"exit_codes": [4]}


def test_what_is_published_is_what_was_written():
    for job in GITHUB["jobs"].values():
        [step] = [s for s in job["steps"] if "upload-artifact" in s.get("uses", "")]
        assert {"gate.xml", "gate.md"} <= set(step["with"]["path"].split())
        assert step["if"] == "${{ !cancelled() }}"
    for job in ("gate", "pipeline"):
        artifacts = GITLAB[job]["artifacts"]
        assert artifacts["reports"]["junit"] == "gate.xml"
        assert "gate.md" in artifacts["paths"]
        assert artifacts["when"] == "always"


def test_the_commands_judge_a_real_model(place):
    from judged_model import JudgedModel, write_images

    _script(place / "made/bin/siamese", REAL)
    JudgedModel().save(place / "serving/7")
    write_images(place / "labelled", each=20)
    code, _ = github(place, "gate")
    assert code == 0
    assert _summary(place).startswith("### ✅ Blessed")
    suite = ElementTree.parse(place / "gate.xml").getroot()
    names = [case.get("name") for case in suite.iter("testcase")]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert "class_accuracy" in names
    # A model and images need TensorFlow alone: seconds, where Beam and a database take more.
    assert (place / "imported.txt").read_text() == ""


def test_the_example_of_thresholds_is_valid():
    asked = config.read_yaml(CI / "gate.yaml")
    found = config.parse({"data": {"root": "x"}, "thresholds": asked}).thresholds
    assert found.class_accuracy.bound == "lower"


@pytest.mark.skipif(
    not importlib.util.find_spec("check_jsonschema"), reason="check-jsonschema is not installed"
)
@pytest.mark.parametrize(
    ("schema", "name"),
    [("vendor.github-workflows", "github-actions.yml"), ("vendor.gitlab-ci", "gitlab-ci.yml")],
)
def test_the_services_schemas(schema, name):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]
    done = subprocess.run([*command, CI / name], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(not shutil.which("actionlint"), reason="actionlint is not installed")
def test_actionlint():
    done = subprocess.run(["actionlint", CI / "github-actions.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
