#!/usr/bin/env bash
# Writes serving/wire/serving_pb2.py and its types from serving.proto, by a protoc that is old enough for the
# protobuf of both stacks (3.20 and 6): code for an older runtime runs on newer ones, not the reverse.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv-tools/bin/uv)
export UV_CACHE_DIR="${UV_CACHE_DIR:-$PWD/.cache/uv}"
"$uv" run --quiet --no-project --python 3.10 --with 'grpcio-tools==1.50.0' --with 'setuptools<80' \
    python -W ignore -m grpc_tools.protoc --proto_path=. --python_out=. --pyi_out=. serving/wire/serving.proto
