"""Reads the Dockerfile; its smoke test shows that the image can be built and works."""

import fnmatch
import os
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    folder.name
    for folder in ROOT.iterdir()
    if (folder / "__init__.py").is_file() and folder.name not in ("tests", "benchmarks")
)
TEXT = (ROOT / "kubeflow/Dockerfile").read_text()


class Stage(NamedTuple):
    """From what it starts, and its instructions as (name, rest of the line)."""

    base: str
    name: str
    does: list[tuple[str, str]]

    def lines(self, instruction):
        return [rest for name, rest in self.does if name == instruction]


def read(text):
    """The arguments before the first stage, and the stages."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    arguments, stages = [], []
    for line in filter(None, joined.splitlines()):
        name, rest = line.split(maxsplit=1)
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            stages.append(Stage(base, stage, []))
        elif not stages:
            arguments.append((name, rest))
        else:
            stages[-1].does.append((name, rest))
    return arguments, stages


ARGUMENTS, STAGES = read(TEXT)
BY_NAME = {stage.name: stage for stage in STAGES}


def tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def context():
    """Git's files that .dockerignore lets into the build."""
    everything, *rules = [
        rule
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if (rule := line.strip()) and not rule.startswith("#")
    ]
    assert everything == "*"
    let_in = [rule[1:] for rule in rules if rule.startswith("!")]
    return {
        path: rule
        for path in tracked()
        for rule in let_in
        if path == rule or path.startswith(rule + "/")
    }


def test_the_base_runs_the_newer_stack():
    [(name, base)] = ARGUMENTS
    assert name == "ARG"
    assert re.fullmatch(r"BASE=debian:trixie-slim(@sha256:[0-9a-f]{64})?", base)
    assert STAGES[0].base == "${BASE}"
    names = [stage.name for stage in STAGES]
    for number, stage in enumerate(STAGES[1:], 1):
        assert stage.base in names[:number], "a stage starts from an earlier one"


def test_the_syntax_is_named_first():
    assert TEXT.startswith("# syntax=docker/dockerfile:1\n")


def test_the_labels_are_those_of_the_specification():
    [labels] = STAGES[-1].lines("LABEL")
    names = set(re.findall(r"org\.opencontainers\.image\.([a-z.]+)=", labels))
    assert names == {"title", "description", "licenses", "version", "revision", "base.name"}
    assert {"VERSION=", "REVISION=", "BASE"} <= set(STAGES[-1].lines("ARG"))


def test_dependencies_come_before_the_source():
    assert BY_NAME["dependencies"].lines("COPY") == [
        "--from=compiled /compiled /tmp/compiled",
        "constraints/image.txt /tmp/",
    ]
    [install] = BY_NAME["dependencies"].lines("RUN")
    assert "pip check" in install
    assert install.endswith("rm -rf /tmp/*")
    assert BY_NAME["package"].base == "dependencies"
    assert BY_NAME["package"].lines("COPY") == [". ."]


def test_every_package_from_an_index_is_checked_by_its_hash():
    for stage in STAGES:
        for run in stage.lines("RUN"):
            for command in re.findall(r"pip (?:install|wheel) [^&]*", run):
                assert "--no-deps" in command
                assert {"--require-hashes", "--no-index", "."} & set(command.split())
                # Build isolation would download build tools without their hashes.
                assert {"--only-binary", "--no-build-isolation", "--no-index"} & set(
                    command.split()
                ) or "backend.txt" in command


def test_downloads_are_cached_between_builds():
    for name in ("compiled", "dependencies"):
        [*_, run] = BY_NAME[name].lines("RUN")
        assert "--mount=type=cache,target=/root/.cache/pip" in run
        assert "--no-cache-dir" not in run


def test_the_compiler_stays_behind():
    line, stages = STAGES[-1], []
    while line.name != "base":
        line = BY_NAME[line.base]
        stages.append(line.name)
    assert stages == ["runtime", "dependencies", "base"]
    assert not [name for name in stages if "g++" in str(BY_NAME[name].does)]


LOCKED = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints/image.txt").read_text(), re.M))


def test_the_image_has_the_locked_versions():
    current = (ROOT / "constraints/current.txt").read_text()
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)", current, re.M))
    differing = {name for name, version in LOCKED.items() if pins.get(name, version) != version}
    assert not differing, "run `make lock`"
    assert {"tfx", "kfp-pipeline-spec", "boto3", "nvidia-cudnn-cu12"} <= set(LOCKED)
    for name in re.findall(r"\^\(?([\w|-]+?)\)?==", TEXT):
        assert set(name.split("|")) <= set(LOCKED)


def test_every_locked_file_has_its_hash():
    lines = (ROOT / "constraints/image.txt").read_text().splitlines()[1:]
    assert all(re.fullmatch(r"\S+==\S+( --hash=sha256:[0-9a-f]{64})+", line) for line in lines)


@pytest.mark.parametrize(("gpu", "libraries"), [("", False), ("1", True)])
def test_cudas_libraries_are_installed_on_request(gpu, libraries, tmp_path):
    [install] = BY_NAME["dependencies"].lines("RUN")
    select = re.search(r"sed -E .*?>/tmp/wheels\.txt", install)[0]
    select = select.replace("/tmp/image.txt", str(ROOT / "constraints/image.txt"))
    select = select.replace("/tmp/wheels.txt", str(tmp_path / "wheels.txt"))
    subprocess.run(["sh", "-c", select], check=True, env={**os.environ, "GPU": gpu})
    wheels = (tmp_path / "wheels.txt").read_text()
    assert ("\nnvidia-cudnn-cu12==" in wheels) is libraries
    assert "\ntfx==" in wheels
    assert "pyfarmhash==" not in wheels


def test_the_project_is_installed_as_a_package():
    assert "PYTHONPATH" not in TEXT
    [install] = BY_NAME["package"].lines("RUN")
    assert install.startswith("pip install ")
    assert {"--no-deps", "--no-build-isolation"} <= set(install.split())
    assert BY_NAME["runtime"].lines("COPY") == ["--from=package /package /opt/siamese"]


def test_no_step_reads_another_stage_by_a_mount():
    """Buildah reuses such a step from its cache even if that stage has changed."""
    assert set(re.findall("--mount=type=([a-z]+)", TEXT)) == {"secret", "cache"}


def test_it_does_not_run_as_root():
    number = BY_NAME["runtime"].lines("USER")
    assert number == ["1000"]  # by number, for Kubernetes' runAsNonRoot
    assert f"--uid {number[0]}" in BY_NAME["base"].lines("RUN")[0]
    assert [stage.name for stage in STAGES if "USER" in dict(stage.does)] == ["runtime"]


def test_tasks_find_their_python_first():
    environment = BY_NAME["base"].lines("ENV")[0]
    assert environment.startswith("PATH=/opt/siamese/bin:$PATH")


def test_the_image_is_the_tested_stage():
    test = BY_NAME["smoke-test"]
    assert test.base == "runtime"
    assert test.lines("COPY") == ["kubeflow/smoke_test.py /tmp/"]
    [run] = test.lines("RUN")
    assert run == "python /tmp/smoke_test.py >/tmp/smoke_test.txt"
    last = STAGES[-1]
    assert last.base == "runtime"
    assert last.does[0] == ("COPY", "--from=smoke-test /tmp/smoke_test.txt /opt/siamese/")
    assert {name for name, _ in last.does[1:]} == {"ARG", "LABEL"}


def test_every_copied_file_is_in_the_build_context():
    files = context()
    for stage in STAGES:
        for line in stage.lines("COPY"):
            if "--from=" in line or line == ". .":
                continue
            for source in line.split()[:-1]:
                assert source in files


def test_the_build_context_has_all_that_the_package_needs():
    files = context()
    rules = (ROOT / ".dockerignore").read_text()
    for rule in re.findall(r"^!(.*)$", rules, re.M):
        assert rule in files.values(), f"{rule} is no file of git"
    for package in PACKAGES:
        assert f"{package}/__init__.py" in files
    assert {"setup.py", "pyproject.toml", "README.md"} <= set(files)
    for path in files:
        assert not fnmatch.fnmatch(path, "*.env")


def test_the_smoke_test_imports_every_package():
    smoke_test = (ROOT / "kubeflow/smoke_test.py").read_text()
    listed = re.search(r"PACKAGES = \((.*?)\)", smoke_test, re.S)[1]
    assert re.findall(r'"(\w+)"', listed) == PACKAGES


def test_it_names_no_machine():
    assert not re.search(r"https?://|index-url|/root/(?!.cache)|/home/(?!siamese)", TEXT)
