"""`make audit`: pip-audit's findings against the accepted ones. pip-audit itself is not run."""

import importlib.util
from pathlib import Path

import pytest
from packaging.requirements import Requirement

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("vulnerabilities", TOOLS / "vulnerabilities.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answering(**vulnerable):
    """Answers like pip-audit: these packages have these vulnerabilities, the others none."""

    def answer(pins):
        return {
            "dependencies": [
                {
                    "name": pin.name,
                    "version": str(pin.specifier).lstrip("="),
                    "vulns": [
                        {"id": id_, "aliases": ["GHSA-x"], "fix_versions": ["99"]}
                        for id_ in vulnerable.get(pin.name, ())
                    ],
                }
                for pin in map(Requirement, pins)
            ]
        }

    return answer


def test_no_finding_passes_and_names_what_need_not_be_accepted_any_longer(audit, capsys):
    assert audit.main(answering()) == 0
    assert "pyarrow CVE-2023-47248 no longer applies; remove it" in capsys.readouterr().out


def test_an_accepted_finding_passes_with_its_reason(audit, capsys):
    assert audit.main(answering(pyarrow=["CVE-2024-52338"])) == 0
    assert "Concerns the R package alone" in capsys.readouterr().out


@pytest.mark.parametrize("package", ["pyarrow", "numpy"])
def test_any_other_finding_fails(audit, capsys, package):
    id_ = "CVE-2024-52338" if package == "numpy" else "CVE-2030-1"
    assert audit.main(answering(**{package: [id_]})) == 1
    printed = capsys.readouterr().out
    assert f"{id_}" in printed
    assert "fixed in 99): NOT ACCEPTED" in printed


def test_packages_that_were_not_checked_are_no_success(audit, capsys):
    def unreachable(pins):
        return {"dependencies": [{"name": "numpy", "skip_reason": "Dependency not found on PyPI"}]}

    assert audit.main(unreachable) == 2
    assert "NOT AUDITED: 1 pins (numpy)" in capsys.readouterr().out


def test_a_failed_pip_audit_is_no_success(audit, capsys):
    def fails(pins):
        raise audit.AuditFailed("pip-audit failed: ConnectionError")

    assert audit.main(fails) == 2
    assert "NOT AUDITED. pip-audit failed: ConnectionError" in capsys.readouterr().out


def test_a_lock_for_several_pythons_gives_one_version_for_each(audit):
    older, newer = 'python_full_version < "3.12"', 'python_full_version >= "3.12"'
    lock = f"# locked\na==1 ; {older}\na==2 ; {newer}\nb==3\n"
    assert audit.pins_for(lock, "3.13") == ["a==2", "b==3"]
    assert audit.pins_for(lock, "3.11") == ["a==1", "b==3"]


def test_each_accepted_finding_has_a_reason_and_is_of_a_pinned_package(audit):
    pinned = {
        Requirement(pin).name
        for _, file, python in audit.STACKS
        for pin in audit.pins_for((audit.ROOT / "constraints" / file).read_text(), python)
    }
    for entry in audit.read_accepted():
        assert entry.package in pinned
        assert len(entry.why) > 20
