"""Memory of the embedded server over time, under a light load while versions are swapped.

    python -m benchmarks.soak_serving MODEL IMAGE --minutes 60 --json soak.json

MODEL is an exported model: a folder with `saved_model.pb`. One client asks `--rate` times a second,
in turn by gRPC, by REST with the image in base64, and for the status. Each minute a copy of the
model becomes the next version, and the last but one is deleted. Exit code 1: a request failed.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scipy import stats

from benchmarks.report import report
from serving.client import ServingError, SiameseClient

NAME = "soaked"
SWAP_SECONDS = 60.0
SETTLED_MINUTES = 15
"""Until then TensorFlow and the C library still fill their caches."""


def publish(model: Path, base: Path, version: int) -> None:
    """Copy a model aside, rename it to the next version, and delete the last but one."""
    aside = base / "copying"
    shutil.copytree(model, aside)
    aside.rename(base / str(version))
    shutil.rmtree(base / str(version - 2), ignore_errors=True)


def requests(address: str, rest: str, image: bytes) -> Iterator[Callable[[], Any]]:
    """Yield the requests in turn."""
    client = SiameseClient(address, NAME)
    url = f"http://{rest}/v1/models/{NAME}"
    row = {"image": {"b64": base64.b64encode(image).decode()}}
    body = json.dumps({"signature_name": "classify", "instances": [row]}).encode()

    def get(path: str, body: bytes | None = None) -> Any:
        with urllib.request.urlopen(url + path, body, timeout=60) as response:
            return json.load(response)

    yield from itertools.cycle(
        (lambda: client.classify([image]), lambda: get(":predict", body), lambda: get(""))
    )


def soak(
    process: subprocess.Popen[str], model: Path, base: Path, image: bytes, **options: float
) -> list[dict[str, Any]]:
    """Return a row for each minute."""
    assert process.stdout is not None
    found = re.fullmatch(r"gRPC on (\S+), REST on (\S+)\n", process.stdout.readline())
    if found is None:
        sys.exit("the server did not start; its log is above")
    address, rest = found.groups()
    asked = requests(address, rest, image)
    rows: list[dict[str, Any]] = []
    version, began = 1, time.monotonic()
    while len(rows) < options["minutes"]:
        calls = failed = 0
        end = began + SWAP_SECONDS * (len(rows) + 1)
        while (now := time.monotonic()) < end:
            try:
                next(asked)()
            except (ServingError, OSError) as e:
                failed += 1
                print(f"failed: {e}", file=sys.stderr)
            calls += 1
            time.sleep(max(0.0, now + 1 / options["rate"] - time.monotonic()))
        rows.append(
            {
                "minute": len(rows) + 1,
                "version": version,
                "calls": calls,
                "failed": failed,
                "MiB": resident(process.pid),
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
        version += 1
        publish(model, base, version)
    return rows


def trend(rows: list[dict[str, Any]]) -> str:
    """Return in words by how much memory grew after the first minutes."""
    late = [row for row in rows if row["minute"] > SETTLED_MINUTES]
    if len(late) < 10:
        return f"No trend: fewer than 10 of the minutes are after minute {SETTLED_MINUTES}."
    # The median of the slopes between any two minutes: single loads that are under way, whose
    # memory comes and goes, hardly count.
    found = stats.theilslopes([row["MiB"] for row in late], [row["minute"] for row in late])
    slope, low, high = (60 * each for each in (found.slope, found.low_slope, found.high_slope))
    return (
        f"After minute {SETTLED_MINUTES} it grows by {slope:.0f} MiB an hour (95 % interval "
        f"{low:.0f} to {high:.0f})."
    )


def resident(process: int) -> float:
    """Return the resident memory of a process in MiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


def main() -> int:
    """Run the benchmark, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rate", type=float, default=5.0, help="requests a second (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        base = Path(place) / NAME
        base.mkdir()
        publish(arguments.model, base, 1)
        command = [sys.executable, "-m", "serving.embedded", "--port=0", "--rest_api_port=0"]
        command += [f"--model_name={NAME}", f"--model_base_path={base}"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            rows = soak(
                process,
                arguments.model,
                base,
                arguments.image.read_bytes(),
                minutes=arguments.minutes,
                rate=arguments.rate,
            )
        finally:
            process.kill()
            process.wait()
    report("Soak of the embedded server", rows, arguments.json, [trend(rows)])
    return int(any(row["failed"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
