"""The image, as far as it can be read; that it is built and works is a matter of its smoke test."""

import fnmatch
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
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


def test_the_base_is_one_that_the_newer_stack_runs_on():
    assert ARGUMENTS == [("ARG", "BASE=debian:trixie-slim")]
    assert STAGES[0].base == "${BASE}"
    names = [stage.name for stage in STAGES]
    for number, stage in enumerate(STAGES[1:], 1):
        assert stage.base in names[:number], "a stage starts from one before it"


def test_dependencies_are_the_locked_ones_and_come_before_the_source():
    does = BY_NAME["dependencies"].does
    [install] = [rest for name, rest in does if name == "RUN"]
    assert "--constraint current.txt" in install
    assert '".[${EXTRAS}]"' in install
    assert "pip check" in install
    assert BY_NAME["dependencies"].lines("COPY") == [
        "--from=compiled /compiled /tmp/compiled",
        "setup.py pyproject.toml constraints/current.txt /tmp/project/",
    ]
    assert install.endswith("rm -rf /tmp/*")
    assert BY_NAME["package"].base == "dependencies"
    assert BY_NAME["package"].lines("COPY") == [". ."]


def test_no_other_place_installs_anything_unlocked():
    for stage in STAGES:
        for run in stage.lines("RUN"):
            for command in re.findall(r"pip (?:install|wheel) [^&]*", run):
                assert "--constraint" in command or "--no-deps" in command
    [compiled] = re.findall(r"grep '(\^\w+==)'", TEXT)
    assert re.search(compiled, (ROOT / "constraints/current.txt").read_text(), re.M)


def test_the_compiler_stays_behind():
    line, stages = STAGES[-1], []
    while line.name != "base":
        line = BY_NAME[line.base]
        stages.append(line.name)
    assert stages == ["runtime", "dependencies", "base"]
    assert not [name for name in stages if "g++" in str(BY_NAME[name].does)]


def test_extras_are_those_of_the_project():
    [default] = BY_NAME["dependencies"].lines("ARG")
    assert default == "EXTRAS=kubeflow"
    named = re.findall(r"EXTRAS=([\w,]+)", TEXT)
    known = re.findall(r'^        "(\w+)": \[', (ROOT / "setup.py").read_text(), re.M)
    assert {extra for extras in named for extra in extras.split(",")} <= set(known)


def test_the_lock_file_has_the_accelerators_libraries():
    lock = (ROOT / "constraints/current.txt").read_text()
    assert re.search(r"^nvidia-cudnn-cu1\d==", lock, re.M)
    assert re.search(r"^kfp-pipeline-spec==[\d.]+$", lock, re.M), "on every Python"


def test_the_project_is_installed_and_nothing_else_points_at_it():
    assert "PYTHONPATH" not in TEXT
    [install] = BY_NAME["package"].lines("RUN")
    assert install.startswith("pip install ")
    assert {"--no-deps", "--no-build-isolation"} <= set(install.split())
    assert BY_NAME["runtime"].lines("COPY") == ["--from=package /package /opt/siamese"]


def test_no_step_takes_its_input_from_a_mount():
    """Buildah takes such a step from its cache, whatever has changed in the stage it mounts."""
    assert re.findall("--mount=type=([a-z]+)", TEXT) == ["secret", "secret"]


def test_it_runs_as_a_user_that_is_not_root():
    number = BY_NAME["runtime"].lines("USER")
    assert number == ["1000"]  # by number, for Kubernetes' runAsNonRoot
    assert f"--uid {number[0]}" in BY_NAME["base"].lines("RUN")[0]
    assert [stage.name for stage in STAGES if "USER" in dict(stage.does)] == ["runtime"]


def test_tasks_find_their_python_first():
    environment = BY_NAME["base"].lines("ENV")[0]
    assert environment.startswith("PATH=/opt/siamese/bin:$PATH")


def test_the_image_is_the_one_that_was_tested_and_keeps_nothing_of_the_test():
    test = BY_NAME["smoke-test"]
    assert test.base == "runtime"
    assert test.lines("COPY") == ["kubeflow/smoke_test.py /tmp/"]
    [run] = test.lines("RUN")
    assert run == "python /tmp/smoke_test.py >/tmp/smoke_test.txt"
    last = STAGES[-1]
    assert last.base == "runtime"
    assert last.does == [("COPY", "--from=smoke-test /tmp/smoke_test.txt /opt/siamese/")]


def test_every_file_that_is_copied_is_in_git_and_let_in():
    files = context()
    for stage in STAGES:
        for line in stage.lines("COPY"):
            if "--from=" in line or line == ". .":
                continue
            for source in line.split()[:-1]:
                assert source in files


def test_what_is_let_in_is_all_that_the_package_needs():
    files = context()
    rules = (ROOT / ".dockerignore").read_text()
    for rule in re.findall(r"^!(.*)$", rules, re.M):
        assert rule in files.values(), f"{rule} is no file of git"
    packages = re.search(r"find_packages\(include=\[(.*?)\]\)", (ROOT / "setup.py").read_text())[1]
    for package in re.findall(r'"(\w+)\*"', packages):
        assert f"{package}/__init__.py" in files
    assert {"setup.py", "pyproject.toml", "README.md"} <= set(files)
    for path in files:
        assert not fnmatch.fnmatch(path, "*.env")


def test_it_names_no_machine():
    assert not re.search(r"https?://|index-url|/root/|/home/(?!siamese)", TEXT)
