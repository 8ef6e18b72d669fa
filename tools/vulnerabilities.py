"""Checks the pinned versions of both stacks for known vulnerabilities, by pip-audit.

    python tools/vulnerabilities.py

Exit codes: 0 none but those that accepted_vulnerabilities.yaml explains, 1 others were found, 2 not
everything could be checked (pip-audit asks a service on the internet).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
ACCEPTED = Path(__file__).with_name("accepted_vulnerabilities.yaml")
STACKS = (
    ("TFX 1.21, Python 3.13", "current.txt", "3.13"),
    ("TFX 1.21, Python 3.11", "current.txt", "3.11"),
    ("TFX 1.16, Python 3.10", "py310.txt", "3.10"),
)
PIP_AUDIT = "pip-audit==2.10.1"


class Accepted(NamedTuple):
    """A finding that is known and explained."""

    package: str
    id: str
    why: str


class Finding(NamedTuple):
    """A vulnerability of a pinned package."""

    package: str
    version: str
    ids: frozenset[str]
    fixed_in: tuple[str, ...]


class Audit(NamedTuple):
    """What pip-audit says of one lock."""

    findings: list[Finding]
    unchecked: list[str]


class AuditFailed(Exception):
    """pip-audit gave no answer."""


def main(audit: Callable[[list[str]], Any] | None = None) -> int:
    """Audit all locks and return the exit code."""
    accepted = read_accepted()
    matched: set[Accepted] = set()
    unexplained = incomplete = False
    for stack, file, python in STACKS:
        pins = pins_for((ROOT / "constraints" / file).read_text(), python)
        try:
            found = read_answer((audit or run_pip_audit)(pins))
        except AuditFailed as e:
            print(f"{stack}: NOT AUDITED. {e}")
            incomplete = True
            continue
        print(f"{stack}: {len(pins) - len(found.unchecked)} of {len(pins)} pins audited")
        if found.unchecked:
            incomplete = True
            names = ", ".join(found.unchecked[:5]) + (", …" if len(found.unchecked) > 5 else "")
            print(f"  NOT AUDITED: {len(found.unchecked)} pins ({names}); the service knows none")
        for finding in found.findings:
            reasons = [a for a in accepted if a.package == finding.package and a.id in finding.ids]
            matched.update(reasons)
            unexplained |= not reasons
            print(f"  {describe(finding)}: {reasons[0].why if reasons else 'NOT ACCEPTED'}")
    if not incomplete:
        for entry in accepted:
            if entry not in matched:
                print(f"{ACCEPTED.name}: {entry.package} {entry.id} no longer applies; remove it")
    if incomplete:
        print("The audit is incomplete: is the vulnerability service (pypi.org) reachable?")
    return 1 if unexplained else 2 if incomplete else 0


def read_accepted() -> list[Accepted]:
    """Return the accepted findings, one for each id."""
    return [
        Accepted(entry["package"], id_, " ".join(entry["why"].split()))
        for entry in yaml.safe_load(ACCEPTED.read_text(encoding="utf-8"))
        for id_ in entry["ids"]
    ]


def pins_for(lock: str, python: str) -> list[str]:
    """Return `name==version` of each pin of a lock that applies to this Python on Linux."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_system": "Linux",
    }
    requirements = (Requirement(line) for line in lock.splitlines() if line[:1].isalnum())
    return [
        f"{one.name}{one.specifier}"
        for one in requirements
        if one.marker is None or one.marker.evaluate(environment)
    ]


def run_pip_audit(pins: Iterable[str]) -> Any:
    """Return pip-audit's JSON for these pins.

    Raises:
        AuditFailed: It printed none.
    """
    uv = shutil.which("uv") or str(ROOT / ".venv-tools" / "bin" / "uv")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pins))
        file.flush()
        ran = subprocess.run(
            [uv, "tool", "run", PIP_AUDIT, "--requirement", file.name, "--no-deps", "--disable-pip",
             "--format", "json", "--progress-spinner", "off", "--timeout", "20"],
            capture_output=True,
            text=True,
            env={"UV_CACHE_DIR": str(ROOT / ".cache" / "uv"), **os.environ},
        )  # fmt: skip
    try:
        return json.loads(ran.stdout)
    except ValueError:
        said = ran.stderr.strip().splitlines() or ["it printed nothing"]
        raise AuditFailed(f"pip-audit failed: {said[-1]}") from None


def read_answer(answer: Any) -> Audit:
    """Return the findings of pip-audit's JSON, and the packages that it could not check."""
    findings, unchecked = [], []
    for package in answer["dependencies"]:
        if "skip_reason" in package:
            unchecked.append(package["name"])
        for one in package.get("vulns", ()):
            ids = frozenset([one["id"], *one.get("aliases", ())])
            fixed_in = tuple(one.get("fix_versions", ()))
            findings.append(Finding(package["name"], package["version"], ids, fixed_in))
    return Audit(findings, unchecked)


def describe(finding: Finding) -> str:
    """Return one line: package, version, ids, where it is fixed."""
    fixed = f", fixed in {', '.join(finding.fixed_in)}" if finding.fixed_in else ""
    return f"{finding.package} {finding.version} ({', '.join(sorted(finding.ids))}{fixed})"


if __name__ == "__main__":
    sys.exit(main())
