#!/usr/bin/env python3
"""Makes the virtual environment in .venv, with the stack that this machine can run.

    python3 tools/bootstrap.py [--python INTERPRETER]

TFX 1.21 (Python 3.11 to 3.13) needs the C library glibc 2.39; where that is older, TFX 1.16 on
Python 3.10 it is. Nothing outside the checkout is changed, and where nothing has changed since the
last time, nothing is done. Needs only the standard library of Python 3.8.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "bootstrap.stamp"
CURRENT = ("3.13", "3.12", "3.11")
LEGACY = "3.10"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--python", help="interpreter to use (default: looked for)")
    wanted = parser.parse_args().python
    stamp = fingerprint(wanted)
    if STAMP.is_file() and STAMP.read_text() == stamp:
        return
    os.environ.setdefault("UV_CACHE_DIR", str(ROOT / ".cache" / "uv"))
    os.environ.setdefault("UV_PYTHON_INSTALL_DIR", str(ROOT / ".cache" / "python"))
    # The cache lies inside the checkout, so files can be linked where the file system can.
    uv = find_uv()
    interpreter, version = find_interpreter(wanted, uv)
    legacy = version == LEGACY
    print(f"Setting up {'TFX 1.16' if legacy else 'TFX 1.21'} on Python {version} in .venv")
    if not legacy:
        check_compiler()
    STAMP.unlink(missing_ok=True)  # a half-finished installation must not count
    run(uv, "venv", "--quiet", "--clear", "--python", interpreter, str(VENV))
    run(
        uv, "pip", "install", "--quiet", "--python", str(VENV / "bin" / "python"),
        "--constraint", str(ROOT / "constraints" / ("py310.txt" if legacy else "current.txt")),
        "--editable", f"{ROOT}[dev]",
    )  # fmt: skip
    STAMP.write_text(stamp)
    print("The environment is ready: .venv/bin/siamese --help")


def fingerprint(wanted: str | None) -> str:
    """Of everything that decides what is installed."""
    digest = hashlib.sha256(f"{wanted}\n{ROOT}\n".encode())
    for path in (ROOT / "setup.py", Path(__file__), *sorted((ROOT / "constraints").glob("*.txt"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def find_uv() -> str:
    """The uv on the PATH, or one installed into the checkout."""
    found = shutil.which("uv")
    if found:
        return found
    home = ROOT / ".venv-tools"
    uv = home / "bin" / "uv"
    if not uv.is_file():
        print("Fetching uv, the package installer, into .venv-tools")
        made = subprocess.run(
            [sys.executable, "-m", "venv", str(home)], capture_output=True, text=True
        )
        if made.returncode:
            shutil.rmtree(home, ignore_errors=True)
            stop("Python's venv module is incomplete here; install it (Debian: python3-venv).")
        run(str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv")
    return str(uv)


def find_interpreter(wanted: str | None, uv: str) -> tuple[str, str]:
    """The interpreter for this machine's C library, and its version ("3.10")."""
    modern_libc = libc_version() >= (2, 39)
    if wanted:
        version = version_of(wanted)
        if version is None:
            stop(f"PYTHON={wanted} is no Python interpreter.")
        if version != LEGACY and version not in CURRENT:
            stop(f"PYTHON={wanted} is Python {version}; 3.10 to 3.13 can be used.")
        if version != LEGACY and not modern_libc:
            stop(
                f"PYTHON={wanted} is Python {version}, for which TFX needs glibc 2.39; this "
                f"machine has {platform.libc_ver()[1]}. Use Python 3.10."
            )
        return wanted, version
    for version in (*CURRENT, LEGACY) if modern_libc else (LEGACY,):
        for candidate in candidates(version):
            if version_of(candidate) == version:
                return candidate, version
    fallback = CURRENT[0] if modern_libc else LEGACY
    print(f"No suitable Python was found; fetching {fallback} into .cache/python")
    if subprocess.run([uv, "python", "install", "--quiet", "--no-bin", fallback]).returncode:
        stop(
            f"Install Python {fallback} with its headers and venv module (Debian 13 and Ubuntu "
            "24.04: apt install python3-dev python3-venv g++; elsewhere: pyenv install 3.10), or "
            "name an interpreter: make setup PYTHON=/path/to/python3.10"
        )
    return fallback, fallback


def candidates(version: str) -> list[str]:
    """Paths of interpreters that may be of this version."""
    found = [shutil.which(f"python{version}"), shutil.which("python3")]
    pyenv = shutil.which("pyenv") or str(Path.home() / ".pyenv" / "bin" / "pyenv")
    if os.access(pyenv, os.X_OK):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True).stdout.strip()
        # A pyenv shim on the PATH fails where its version is not chosen, so look behind it.
        versions = Path(root, "versions").glob(f"{version}.*/bin/python")
        found += sorted((str(path) for path in versions), reverse=True)
    return [path for path in found if path]


def version_of(interpreter: str) -> str | None:
    """Major and minor version ("3.10"), or None where it does not run."""
    try:
        answer = subprocess.run(
            [interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
        )
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def libc_version() -> tuple[int, ...]:
    """Of glibc; (0,) where there is another C library."""
    name, version = platform.libc_ver()
    if name != "glibc":
        stop("TFX's wheels are for Linux with glibc; use a container with Debian or Ubuntu.")
    return tuple(int(part) for part in version.split(".")[:2])


def check_compiler() -> None:
    """TFX 1.21's dependency pyfarmhash has no wheel."""
    headers = Path(sysconfig.get_paths()["include"]) / "Python.h"
    if not shutil.which("g++") or not headers.is_file():
        stop(
            "A C++ compiler and Python's headers are needed to build pyfarmhash; install them "
            "(Debian and Ubuntu: apt install g++ python3-dev)."
        )


def run(*command: str) -> None:
    if subprocess.run(command, cwd=ROOT).returncode:
        stop(f"This command failed, see above: {' '.join(command)}")


def stop(message: str) -> None:
    print(message, file=sys.stderr)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
