#!/usr/bin/env bash
# Pins the newest versions that setup.py allows, for both stacks, without installing them.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv-tools/bin/uv)
compile() { # file, Python version, platform
    "$uv" pip compile --quiet --upgrade --no-header --no-annotate --extra dev \
        --python-version "$2" --python-platform "$3" setup.py --output-file "constraints/$1"
    echo "constraints/$1: $(grep -c . "constraints/$1") packages"
}
compile py310.txt 3.10 x86_64-manylinux_2_28
compile current.txt 3.13 x86_64-manylinux_2_40
