"""Where the seconds of a run go: each component's time, CPU time, and what of it is importing.

    python -m benchmarks.run_time configs/quickstart.yaml [--set KEY=VALUE ...]

The pipeline runs in a new folder, so that nothing comes from the cache. CPU time is that of the
run's process and of all that it starts. Importing is counted in the run's process alone.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import report

_EVENT = re.compile(r"(?:node|Component) (\S+) is (running|finished)\.")
_IMPORT = re.compile(r"^import time:\s+(\d+) \|")
_TICKS = os.sysconf("SC_CLK_TCK")
START, END = "(imports and compiling)", "(summary and report)"


class _Clock:
    """Time, CPU time of a process and its descendants, and seconds of importing since the last."""

    def __init__(self, process: int) -> None:
        self._process, self.imports = process, 0.0
        self._last = time.monotonic(), 0.0

    def lap(self, name: str) -> dict[str, Any]:
        now = time.monotonic(), max(self._last[1], _cpu_seconds(self._process))
        seconds, cpu = (new - old for new, old in zip(now, self._last, strict=True))
        self._last = now
        imports, self.imports = self.imports, 0.0
        return {"step": name, "s": seconds, "CPU s": cpu, "of it importing, s": imports}


def _cpu_seconds(root: int) -> float:
    """Return the CPU time of a process, and of its children, ended ones too."""
    try:
        stat = Path(f"/proc/{root}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{root}/task/{root}/children").read_text().split()
    except OSError:  # it has ended
        return 0.0
    return sum(map(int, stat[11:15])) / _TICKS + sum(_cpu_seconds(int(child)) for child in children)


def measure(config: Path, overrides: list[str]) -> list[dict[str, Any]]:
    """Run a pipeline and return a row for each component."""
    with tempfile.TemporaryDirectory() as output:
        settings = [f"output={output}", *overrides]
        command = [sys.executable, "-m", "pipeline", "run", str(config), "--verbose"]
        for one in settings:
            command += ["--set", one]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"},
        )
        clock = _Clock(process.pid)
        rows: list[dict[str, Any]] = []
        shown: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            if found := _IMPORT.match(line):
                clock.imports += int(found[1]) / 1e6
            elif event := _EVENT.search(line):
                name, what = event.groups()
                row = clock.lap(name if what == "finished" else START)
                if what == "finished" or not rows:
                    rows.append(row)
            else:
                shown = [*shown[-20:], line]
        rows.append(clock.lap(END))
        if process.wait():
            raise SystemExit("".join(shown))
    total = {name: sum(row[name] for row in rows) for name in list(rows[0])[1:]}
    return [*rows, {"step": "all", **total}]


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = measure(options.config, options.set)
    report(f"A run of {options.config.name}", rows, options.json)


if __name__ == "__main__":
    main()
