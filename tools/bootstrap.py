#!/usr/bin/env python3
"""Makes the virtual environment in .venv, with the stack that this machine can run.

    python3 tools/bootstrap.py [--python INTERPRETER] [--extras kubeflow,ui]

TFX 1.21 (Python 3.11 to 3.13) needs the C library glibc 2.39; where that is older, TFX 1.16 on
Python 3.10 it is. Nothing outside the checkout is changed, and where nothing has changed since the
last time, nothing is done. Needs only the standard library of Python 3.8.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".venv-tools"
CACHE = ROOT / ".cache"
STAMP = VENV / "bootstrap.json"
CURRENT = ("3.13", "3.12", "3.11")
LEGACY = "3.10"
NEEDED_LIBC = (2, 39)  # by the wheels of TFX 1.21

# Run by an interpreter, tells what find_interpreter must know about it. An interpreter of a virtual
# environment (maybe the one to be replaced) names the one below it.
PROBE = """
import os, sys, sysconfig
print("%d.%d" % sys.version_info[:2])
print(getattr(sys, "_base_executable", None) or sys.executable)
print(os.path.join(sysconfig.get_paths()["include"], "Python.h"))
"""


class Interpreter(NamedTuple):
    """A Python: its version ("3.10"), its path and where its C headers lie, or would."""

    version: str
    path: str
    headers: str


def main() -> None:
    """Sets the environment up, if it is missing or out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--python", help="interpreter to use (default: looked for)")
    parser.add_argument("--extras", help="extras to install too, separated by commas")
    args = parser.parse_args()
    if is_current(args):
        return
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another make may be at it
        if not is_current(args):
            set_up(args)


def choices(args: argparse.Namespace) -> dict[str, str | None]:
    """What was asked for, now or (where it is not said now) the last time."""
    last = read_stamp()
    return {
        "python": args.python if args.python is not None else last.get("python"),
        "extras": args.extras if args.extras is not None else last.get("extras"),
    }


def is_current(args: argparse.Namespace) -> bool:
    """Whether .venv is complete and made from the files as they are."""
    chosen = choices(args)
    done = {**chosen, "inputs": fingerprint()}
    return read_stamp() == done and os.access(VENV / "bin" / "python", os.X_OK)


def read_stamp() -> dict[str, str | None]:
    """What the last set-up noted: the choices and, once it had finished, the inputs."""
    try:
        return json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}


def fingerprint() -> str:
    """Of everything but the choices that decides what is installed."""
    digest = hashlib.sha256(f"{ROOT}\n{platform.libc_ver()}\n".encode())
    for path in (ROOT / "setup.py", Path(__file__), *sorted((ROOT / "constraints").glob("*.txt"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def set_up(args: argparse.Namespace) -> None:
    """Makes .venv, or brings it up to date."""
    chosen = choices(args)
    libc = check_platform()
    os.environ.setdefault("UV_CACHE_DIR", str(CACHE / "uv"))
    os.environ.setdefault("UV_PYTHON_INSTALL_DIR", str(CACHE / "python"))
    os.environ.setdefault("UV_PYTHON_INSTALL_BIN", "0")  # no links in the home directory

    interpreter = find_interpreter(chosen["python"], libc)
    uv = find_uv(interpreter)
    interpreter = interpreter or fetch_interpreter(uv, libc)
    check_compiler(interpreter)
    explain(interpreter, libc)

    python = VENV / "bin" / "python"
    if python_below(python) != interpreter:
        shutil.rmtree(VENV, ignore_errors=True)
        run(uv, "venv", "--quiet", "--python", interpreter.path, str(VENV))
    # Without "inputs": a half-finished installation does not count, the choices are kept.
    STAMP.write_text(json.dumps(chosen))
    use_index_of_pip()
    extras = ",".join(["dev", *filter(None, (chosen["extras"] or "").split(","))])
    run(
        # Compiled now: where Python may write no bytecode, each start would compile TFX for 20 s.
        uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python),
        "--constraint", str(ROOT / "constraints" / constraints_of(interpreter)),
        "--editable", f"{ROOT}[{extras}]",
    )  # fmt: skip
    finished = STAMP.with_suffix(".new")
    finished.write_text(json.dumps({**chosen, "inputs": fingerprint()}))
    finished.replace(STAMP)
    print("The environment is ready: .venv/bin/siamese --help", flush=True)


def explain(interpreter: Interpreter, libc: tuple[int, ...]) -> None:
    """Says what is installed and why just that."""
    has = f"glibc {dotted(libc)}"
    if interpreter.version != LEGACY:
        stack, why = "TFX 1.21", f"this machine has {has}, which is new enough for it"
    elif libc < NEEDED_LIBC:
        stack, why = "TFX 1.16", f"newer ones need glibc {dotted(NEEDED_LIBC)}, here is {has}"
    else:
        stack, why = "TFX 1.16", "newer ones need Python 3.11 to 3.13"
    print(f"Setting up {stack} on Python {interpreter.version} in .venv ({why}).")
    print(
        f"The interpreter is {interpreter.path}; choose another one by make setup PYTHON=…",
        flush=True,
    )
    if not VENV.exists():
        print("The first time, about 1 GB is downloaded; the environment takes 3 GB.", flush=True)


def constraints_of(interpreter: Interpreter) -> str:
    """The file of pinned versions."""
    return "py310.txt" if interpreter.version == LEGACY else "current.txt"


def find_interpreter(wanted: str | None, libc: tuple[int, ...]) -> Interpreter | None:
    """The best interpreter for this machine's C library, or None where there is none."""
    modern = libc >= NEEDED_LIBC
    if wanted:
        found = probe(wanted)
        if found is None:
            stop(f"PYTHON={wanted} is no Python interpreter that runs.")
        elif found.version != LEGACY and found.version not in CURRENT:
            stop(f"PYTHON={wanted} is Python {found.version}; 3.10 to 3.13 can be used.")
        elif found.version != LEGACY and not modern:
            stop(
                f"PYTHON={wanted} is Python {found.version}, for which TFX needs glibc "
                f"{dotted(NEEDED_LIBC)}; this machine has {dotted(libc)}. Use Python 3.10."
            )
        return found
    for version in (*CURRENT, LEGACY) if modern else (LEGACY,):
        for candidate in candidates(version):
            found = probe(candidate)
            if found and found.version == version:
                return found
    return None


def candidates(version: str) -> list[str]:
    """Paths of interpreters that may be of this version."""
    found = [shutil.which(f"python{version}"), shutil.which("python3"), sys.executable]
    # A pyenv shim on the PATH fails where its version is not chosen, so look behind it.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    behind = (pyenv / "versions").glob(f"{version}.*/bin/python")
    found += [str(path) for path in sorted(behind, key=patch_version, reverse=True)]
    return [path for path in found if path]


def patch_version(path: Path) -> tuple[int, ...]:
    """3, 10, 13 of …/versions/3.10.13/bin/python."""
    return tuple(int(part) for part in path.parts[-3].split(".") if part.isdigit())


def probe(interpreter: str | Path) -> Interpreter | None:
    """What an interpreter tells about itself, or None where it does not run."""
    try:
        # Isolated: no variable of the environment and no .pth file of the user has a say.
        answer = subprocess.run(
            [str(interpreter), "-I", "-c", PROBE], capture_output=True, text=True, cwd=ROOT
        )
        return Interpreter(*answer.stdout.splitlines()) if answer.returncode == 0 else None
    except (OSError, TypeError):
        return None


def python_below(python: Path) -> Interpreter | None:
    """The interpreter that a virtual environment was made from."""
    return probe(python) if python.exists() else None


def find_uv(interpreter: Interpreter | None) -> str:
    """The uv on the PATH, or one installed into the checkout."""
    found = shutil.which("uv")
    if found:
        return found
    uv = TOOLS / "bin" / "uv"
    if not uv.is_file():
        print("Fetching uv, the package installer, into .venv-tools", flush=True)
        for python in filter(None, (sys.executable, interpreter and interpreter.path)):
            shutil.rmtree(TOOLS, ignore_errors=True)
            made = subprocess.run([python, "-m", "venv", str(TOOLS)], capture_output=True)
            if made.returncode == 0:
                break
        else:
            shutil.rmtree(TOOLS, ignore_errors=True)
            stop("Python's venv module is incomplete here; install it (Debian: python3-venv).")
        run(str(TOOLS / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv")
    return str(uv)


def fetch_interpreter(uv: str, libc: tuple[int, ...]) -> Interpreter:
    """A Python for this machine, downloaded by uv into the checkout."""
    modern = libc >= NEEDED_LIBC
    version = CURRENT[0] if modern else LEGACY
    print(f"No Python {version} was found; fetching one into .cache/python", flush=True)
    subprocess.run([uv, "python", "install", version], cwd=ROOT)
    answer = subprocess.run(
        [uv, "python", "find", version],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "UV_PYTHON_PREFERENCE": "only-managed"},
    )
    found = probe(answer.stdout.strip()) if answer.returncode == 0 else None
    if found is None:
        how = "apt install python3-dev python3-venv g++" if modern else "pyenv install 3.10"
        stop(
            f"Install Python {version} with its headers (for instance: {how}), or name an "
            f"interpreter: make setup PYTHON=/path/to/python{version}"
        )
    return found


def check_platform() -> tuple[int, ...]:
    """The version of glibc; stops on machines that TFX has no wheels for."""
    name, version = platform.libc_ver()
    if platform.machine() != "x86_64" or name != "glibc":
        stop(
            f"TFX's wheels are for Linux with glibc on x86_64, this is {platform.system()} with "
            f"{name or 'another C library'} on {platform.machine()}; use a container with Debian "
            "(docker run --platform linux/amd64)."
        )
    return tuple(int(part) for part in version.split(".")[:2])


def check_compiler(interpreter: Interpreter) -> None:
    """TFX's dependency pyfarmhash has no wheel."""
    if not shutil.which("g++") or not Path(interpreter.headers).is_file():
        stop(
            f"A C++ compiler and the headers of {interpreter.path} are needed to build pyfarmhash "
            "(TFX needs it and it has no wheel); install them (Debian and Ubuntu: "
            "apt install g++ python3-dev)."
        )


def use_index_of_pip() -> None:
    """Points uv at the package index that pip is configured for: uv does not read pip's files."""
    if os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL"):
        return
    for python in (TOOLS / "bin" / "python", sys.executable):
        answer = subprocess.run(
            [str(python), "-m", "pip", "config", "get", "global.index-url"],
            capture_output=True,
            text=True,
        ) if Path(python).exists() else None  # fmt: skip
        if answer and answer.returncode == 0 and answer.stdout.strip():
            os.environ["UV_DEFAULT_INDEX"] = answer.stdout.strip()
            return


def dotted(version: tuple[int, ...]) -> str:
    """2.39 for (2, 39)."""
    return ".".join(map(str, version))


def run(*command: str) -> None:
    """Runs a command in the checkout; stops where it fails."""
    if subprocess.run(command, cwd=ROOT).returncode:
        stop(f"This command failed, see above: {' '.join(command)}")


def stop(message: str) -> NoReturn:
    """Ends with a message for people."""
    print(message, file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
