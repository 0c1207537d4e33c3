#!/bin/sh
# Generates the Python package of the contract. With --check: fails if what is in the tree differs.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
out=proto/src
[ "${1:-}" = --check ] && out=$(mktemp -d)
"$python" -m grpc_tools.protoc -I proto --python_out="$out" --pyi_out="$out" proto/dialtone/v1/*.proto
touch "$out/dialtone/v1/__init__.py" "$out/dialtone/v1/py.typed"
if [ "${1:-}" = --check ]; then
    diff -r --exclude=__pycache__ proto/src "$out" || { echo "generated code is stale: run make proto" >&2; exit 1; }
    rm -r "$out"
fi
