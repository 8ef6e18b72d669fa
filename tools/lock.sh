#!/usr/bin/env bash
# Pins the versions that setup.py allows, for both stacks, in constraints/, without installing them.
# Pins that still fit are kept; with --upgrade everything goes to its newest version.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv-tools/bin/uv)
export UV_CACHE_DIR="${UV_CACHE_DIR:-$PWD/.cache/uv}"

compile() { # stack, file, options of uv
    local stack=$1 file=constraints/$2 made
    shift 2
    made=$(mktemp)
    cp "$file" "$made"
    "$uv" pip compile --quiet --no-header --no-annotate --extra dev --extra kubeflow --extra gpu \
        --output-file "$made" "$@" setup.py >/dev/null
    {
        echo "# $stack, with the extras dev, kubeflow and gpu. Written by \`make lock\` (newer versions:"
        echo "# \`make lock UPGRADE=1\`) from setup.py; not to be edited by hand."
        # The markers that are true wherever this stack runs.
        sed -E -e "s/ and platform_machine == 'x86_64'//; s/ and sys_platform == 'linux'//" \
            -e "s/ and (platform_python_implementation|implementation_name) != 'PyPy'//g" \
            -e "s/python_full_version < '3\.14'( and )?//; s/ and *$//; s/ ; *$//" \
            "$made" | grep -v '^#'
    } >"$file"
    rm "$made"
    echo "$file: $(grep -vc '^#' "$file") pins"
}
# What kubeflow/Dockerfile installs, in the versions of current.txt and with the hashes of all files.
image() {
    local file=constraints/image.txt made
    made=$(mktemp)
    "$uv" pip compile --quiet --no-header --no-annotate --generate-hashes \
        --extra kubeflow --extra s3 --extra gpu --constraint constraints/current.txt \
        --python-version 3.13 --python-platform x86_64-manylinux_2_40 \
        --output-file "$made" setup.py >/dev/null
    {
        echo "# The container image: Debian 13, Python 3.13. Written by \`make lock\`; do not edit."
        sed -z 's/ \\\n */ /g' "$made" # one line per package
    } >"$file"
    rm "$made"
    echo "$file: $(grep -vc '^#' "$file") pins"
}

upgrade=()
if [ "${1:-}" = --upgrade ]; then upgrade=(--upgrade); fi
compile "TFX 1.16: Python 3.10" py310.txt \
    --python-version 3.10 --python-platform x86_64-manylinux_2_28 ${upgrade[@]+"${upgrade[@]}"}
# One file for three versions of Python: see [tool.uv] in pyproject.toml.
compile "TFX 1.21: Python 3.11 to 3.13" current.txt \
    --python-version 3.11 --universal ${upgrade[@]+"${upgrade[@]}"}
image
