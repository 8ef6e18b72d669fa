import json
import shutil
import subprocess
import sys

import pytest

from components import code_version as module
from components.code_version import PACKAGES, code_version, source_files

# What each component runs: its executor (a function component is its own), or the function that
# TFX's executor calls; and the modules that it starts as processes.
EXECUTORS = {
    "components.image_example_gen.component": ("components.image_example_gen.executor",),
    "components.image_schema_gen.component": ("components.image_schema_gen.component",),
    "components.data_check.component": ("components.data_check.component",),
    "components.transform.preprocessing": ("components.transform.preprocessing",),
    "components.pair_gen.component": ("components.pair_gen.component",),
    "components.judge.component": ("components.judge.executor",),
    "components.infra_check.component": (
        "components.infra_check.component",
        "serving.embedded.__main__",
    ),
    "trainer.tuner_fn": ("trainer.tuner_fn", "trainer.search.worker"),
    "trainer.run_fn": ("trainer.run_fn",),
}

IMPORT_EACH = """
import importlib, json, sys

packages, components = json.loads(sys.argv[1])
imported = {}
for component, modules in components.items():
    for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
        del sys.modules[name]
    for name in modules:
        importlib.import_module(name)
    found = [name for name in sys.modules if name.partition(".")[0] in packages]
    imported[component] = [sys.modules[name].__file__ for name in found]
print(json.dumps(imported))
"""


@pytest.fixture(scope="module")
def imported():
    """The project's files that importing each component's executor reads."""
    command = [sys.executable, "-c", IMPORT_EACH, json.dumps([PACKAGES, EXECUTORS])]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


@pytest.mark.parametrize("component", EXECUTORS)
def test_the_files_contain_all_that_the_executor_imports(component, imported):
    derived = {str(file) for file in source_files(component)}
    assert set(imported[component]) <= derived


@pytest.mark.parametrize("component", EXECUTORS)
def test_no_component_runs_code_of_the_pipeline_above_it(component):
    assert not any("pipeline" in f.relative_to(module._ROOT).parts for f in source_files(component))


@pytest.fixture
def code(tmp_path):
    """A copy of the project, whose files a test may change."""
    for package in PACKAGES:
        shutil.copytree(
            module._ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return tmp_path


@pytest.mark.parametrize(
    ("component", "file"),
    [
        ("components.judge.component", "judging/statistics/intervals.py"),
        ("components.judge.component", "images/canonical.py"),
        ("components.infra_check.component", "serving/embedded/batching.py"),
        ("components.image_example_gen.component", "base/printable.py"),
        ("components.pair_gen.component", "records/pair_sampling.py"),
        ("trainer.tuner_fn", "trainer/search/parallel_search.py"),
        ("trainer.run_fn", "records/training_keys.py"),
    ],
)
def test_a_change_in_a_deep_file_changes_the_fingerprint(code, component, file):
    before = code_version(component, root=code)
    assert before == code_version(component)
    with (code / file).open("a") as deep:
        deep.write("\n# changed\n")
    assert code_version(component, root=code) != before


def test_a_file_that_is_not_imported_leaves_the_fingerprint(code):
    before = code_version("components.pair_gen.component", root=code)
    (code / "trainer/run_fn.py").write_text("")
    (code / "components/pair_gen/notes.txt").write_text("not code")
    assert code_version("components.pair_gen.component", root=code) == before


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import base.one", ["base/one.py"]),
        ("from base import one", ["base/one.py"]),
        ("from base.one import anything", ["base/one.py"]),
        ("def f():\n    import base.one", ["base/one.py"]),
        ("try:\n    import base.one\nexcept ImportError:\n    pass", ["base/one.py"]),
        ("from base.one import x", ["base/one.py"]),
        ("command = ['-m', 'records.program']", ["records/__init__.py", "records/program.py"]),
        (
            "command = ['-m', 'records.package']",
            ["records/__init__.py", "records/package/__init__.py", "records/package/__main__.py"],
        ),
        ("if TYPE_CHECKING:\n    import base.one\nelse:\n    import base.two", ["base/two.py"]),
        ("import numpy, os.path", []),
        ("'''Module `base.one`. See base.one.'''", []),
    ],
)
def test_imports_are_followed(tmp_path, source, expected):
    for file in (
        "base/__init__.py", "base/one.py", "base/two.py", "records/__init__.py",
        "records/program.py", "records/package/__init__.py", "records/package/__main__.py",
        "numpy/__init__.py",
    ):  # fmt: skip
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "base/start.py").write_text(source)
    found = [str(f.relative_to(tmp_path)) for f in source_files("base.start", root=tmp_path)]
    assert found == sorted(["base/__init__.py", "base/start.py", *expected])


def test_a_missing_module_is_an_error():
    with pytest.raises(ModuleNotFoundError, match=r"no module 'components\.nowhere'"):
        code_version("components.nowhere")


def test_the_packages_are_those_of_the_contracts():
    tomllib = pytest.importorskip("tomllib" if sys.version_info >= (3, 11) else "tomli")
    settings = tomllib.loads((module._ROOT / "pyproject.toml").read_text())
    assert set(PACKAGES) == set(settings["tool"]["importlinter"]["root_packages"])
