#!/usr/bin/env python3
"""Creates the virtual environment in .venv, with the stack that this machine can run.

    python3 tools/bootstrap.py [--python 3.12|INTERPRETER] [--extras kubeflow,gpu]

TFX 1.21 (Python 3.11 to 3.13) needs glibc 2.39; on older machines it is TFX 1.16 on Python 3.10.
Changes nothing outside the checkout, and does nothing where .venv is up to date. Needs only the
standard library of Python 3.8.
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
NEEDED_LIBC = (2, 39)  # for the wheels of TFX 1.21

# What find_interpreter must know about an interpreter. One in a virtual environment (maybe the one
# to be replaced) names the interpreter that it was created from.
PROBE = """
import os, sys, sysconfig
print("%d.%d" % sys.version_info[:2])
print(getattr(sys, "_base_executable", None) or sys.executable)
print(os.path.join(sysconfig.get_paths()["include"], "Python.h"))
"""


class Interpreter(NamedTuple):
    """A Python: its version ("3.10"), its path, and the path of its C headers."""

    version: str
    path: str
    headers: str


def main() -> None:
    """Set up the environment if it is missing or out of date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--python", help="version or interpreter to use (default: the best found)")
    parser.add_argument("--extras", help="extras to install, separated by commas")
    args = parser.parse_args()
    if is_current(args):
        return
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "bootstrap.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another make may be running
        if not is_current(args):
            set_up(args)


def choices(args: argparse.Namespace) -> dict[str, str | None]:
    """Return the options, each from this call or else from the last one."""
    last = read_stamp()
    return {
        "python": args.python if args.python is not None else last.get("python"),
        "extras": args.extras if args.extras is not None else last.get("extras"),
    }


def is_current(args: argparse.Namespace) -> bool:
    """Return whether .venv is complete and up to date."""
    chosen = choices(args)
    done = {**chosen, "inputs": fingerprint()}
    return read_stamp() == done and os.access(VENV / "bin" / "python", os.X_OK)


def read_stamp() -> dict[str, str | None]:
    """Return what the last setup recorded: its options and, if it completed, its inputs."""
    try:
        return json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}


def fingerprint() -> str:
    """Return a hash of everything but the options that decides what is installed."""
    digest = hashlib.sha256(f"{ROOT}\n{platform.libc_ver()}\n".encode())
    for path in (ROOT / "setup.py", Path(__file__), *sorted((ROOT / "constraints").glob("*.txt"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def set_up(args: argparse.Namespace) -> None:
    """Create or update .venv."""
    chosen = choices(args)
    libc = check_platform()
    os.environ.setdefault("UV_CACHE_DIR", str(CACHE / "uv"))
    os.environ.setdefault("UV_PYTHON_INSTALL_DIR", str(CACHE / "python"))
    os.environ.setdefault("UV_PYTHON_INSTALL_BIN", "0")  # no links in the home directory

    interpreter = find_interpreter(chosen["python"], libc)
    uv = find_uv(interpreter)
    interpreter = interpreter or fetch_interpreter(uv, versions(chosen["python"], libc)[0])
    check_compiler(interpreter)
    explain(interpreter, libc)

    python = VENV / "bin" / "python"
    if base_interpreter(python) != interpreter:
        shutil.rmtree(VENV, ignore_errors=True)
        run(uv, "venv", "--quiet", "--python", interpreter.path, str(VENV))
    # Without "inputs": an incomplete installation is not up to date, but its options are kept.
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
    """Print what is installed, and why."""
    if interpreter.version != LEGACY:
        stack, why = "TFX 1.21", f"this machine has glibc {dotted(libc)}"
    elif libc < NEEDED_LIBC:
        needed = dotted(NEEDED_LIBC)
        stack, why = "TFX 1.16", f"1.21 needs glibc {needed}, this machine has {dotted(libc)}"
    else:
        stack, why = "TFX 1.16", "1.21 needs Python 3.11 to 3.13"
    print(f"Setting up {stack} on Python {interpreter.version} in .venv ({why}).")
    print(f"Interpreter: {interpreter.path} (another: make setup PYTHON=…)", flush=True)
    if not VENV.exists():
        print("The first setup downloads about 1 GB and needs 3 GB of disk.", flush=True)


def constraints_of(interpreter: Interpreter) -> str:
    """Return the name of the file of pinned versions."""
    return "py310.txt" if interpreter.version == LEGACY else "current.txt"


def versions(wanted: str | None, libc: tuple[int, ...]) -> tuple[str, ...]:
    """Return the Python versions to look for, best first."""
    if wanted in (*CURRENT, LEGACY):
        check_version(wanted, f"PYTHON={wanted}", libc)
        return (wanted,)
    return (*CURRENT, LEGACY) if libc >= NEEDED_LIBC else (LEGACY,)


def check_version(version: str, name: str, libc: tuple[int, ...]) -> None:
    """Stop where TFX does not run on this Python or not on this machine."""
    if version != LEGACY and version not in CURRENT:
        stop(f"{name} is Python {version}; use 3.10 to 3.13.")
    if version != LEGACY and libc < NEEDED_LIBC:
        stop(
            f"{name} is Python {version}, for which TFX needs glibc {dotted(NEEDED_LIBC)}; this "
            f"machine has {dotted(libc)}. Use Python 3.10."
        )


def find_interpreter(wanted: str | None, libc: tuple[int, ...]) -> Interpreter | None:
    """Return the best interpreter for this machine, or None where there is none."""
    if wanted and wanted not in (*CURRENT, LEGACY):
        found = probe(wanted)
        if found is None:
            stop(f"PYTHON={wanted} is neither 3.10 to 3.13 nor a working Python interpreter.")
        check_version(found.version, f"PYTHON={wanted}", libc)
        return found
    for version in versions(wanted, libc):
        for candidate in candidates(version):
            found = probe(candidate)
            if found and found.version == version:
                return found
    return None


def candidates(version: str) -> list[str]:
    """Return paths of interpreters that may be of this version."""
    found = [shutil.which(f"python{version}"), shutil.which("python3"), sys.executable]
    # A pyenv shim on the PATH fails where its version is not chosen, so look behind it.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    behind = (pyenv / "versions").glob(f"{version}.*/bin/python")
    found += [str(path) for path in sorted(behind, key=patch_version, reverse=True)]
    return [path for path in found if path]


def patch_version(path: Path) -> tuple[int, ...]:
    """Return (3, 10, 13) for …/versions/3.10.13/bin/python."""
    return tuple(int(part) for part in path.parts[-3].split(".") if part.isdigit())


def probe(interpreter: str | Path) -> Interpreter | None:
    """Return what an interpreter reports about itself, or None where it does not run."""
    try:
        # Isolated from environment variables and the user's .pth files.
        answer = subprocess.run(
            [str(interpreter), "-I", "-c", PROBE], capture_output=True, text=True, cwd=ROOT
        )
        return Interpreter(*answer.stdout.splitlines()) if answer.returncode == 0 else None
    except (OSError, TypeError):
        return None


def base_interpreter(python: Path) -> Interpreter | None:
    """Return the interpreter that a virtual environment was created from."""
    return probe(python) if python.exists() else None


def find_uv(interpreter: Interpreter | None) -> str:
    """Return the path of uv: on the PATH, or else installed into the checkout."""
    found = shutil.which("uv")
    if found:
        return found
    uv = TOOLS / "bin" / "uv"
    if not uv.is_file():
        print("Downloading uv, the package installer, into .venv-tools", flush=True)
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


def fetch_interpreter(uv: str, version: str) -> Interpreter:
    """Return a Python that uv downloads into the checkout."""
    print(f"No Python {version} was found; downloading one into .cache/python", flush=True)
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
        how = "pyenv install 3.10" if version == LEGACY else "apt install python3-dev python3-venv"
        stop(
            f"Install Python {version} with its headers (for instance: {how}), or name an "
            f"interpreter: make setup PYTHON=/path/to/python{version}"
        )
    return found


def check_platform() -> tuple[int, ...]:
    """Return the version of glibc; stop on machines that TFX has no wheels for."""
    name, version = platform.libc_ver()
    if platform.machine() != "x86_64" or name != "glibc":
        stop(
            f"TFX has wheels for Linux with glibc on x86_64; this is {platform.system()} with "
            f"{name or 'another C library'} on {platform.machine()}. Use a Debian container "
            "(docker run --platform linux/amd64)."
        )
    return tuple(int(part) for part in version.split(".")[:2])


def check_compiler(interpreter: Interpreter) -> None:
    """Stop where pyfarmhash, which TFX needs and has no wheel, cannot be built."""
    if not shutil.which("g++") or not Path(interpreter.headers).is_file():
        stop(
            "pyfarmhash, a dependency of TFX without a wheel, needs a C++ compiler and the headers "
            f"of {interpreter.path} (Debian and Ubuntu: apt install g++ python3-dev)."
        )


def use_index_of_pip() -> None:
    """Configure uv with pip's package index: uv does not read pip's configuration."""
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
    """Return "2.39" for (2, 39)."""
    return ".".join(map(str, version))


def run(*command: str) -> None:
    """Run a command in the checkout; stop where it fails."""
    if subprocess.run(command, cwd=ROOT).returncode:
        stop(f"This command failed, see above: {' '.join(command)}")


def stop(message: str) -> NoReturn:
    """Print the message and exit with 1."""
    print(message, file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
