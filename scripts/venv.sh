#!/bin/sh
# Makes a virtual environment of a checkout: venv.sh FOLDER "LOCK..." PACKAGE...
# Third-party packages come from the lock files by hash; ours are installed from the tree, editable, on top of them.
set -eu
cd "$(dirname "$0")/.."
venv=$1
locks=$2
shift 2
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "$("$python" --version) is too old: Python 3.11 or newer is needed (make PYTHON=python3.12)" >&2
    exit 1
}
if [ ! -x "$venv/bin/python" ]; then
    echo "creating $venv"
    "$python" -m venv "$venv" || {
        echo "python's venv module is missing (on Debian: apt-get install python3-venv)" >&2
        exit 1
    }
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1

# pip says three lines a package; a person wants one that counts.
counted() {
    awk -v total="$1" -v tty="$([ -t 2 ] && echo 1)" '
        /^Collecting/ { n++; if (tty) printf "\r\033[K  %d/%d %s", n, total, $2 > "/dev/stderr" }
        /^Installing collected/ { if (tty) printf "\r\033[K  unpacking" > "/dev/stderr" }
        END { if (tty) printf "\r\033[K" > "/dev/stderr" }'
}

# shellcheck disable=SC2086
cat $locks > "$venv/.locks"
if ! cmp -s "$venv/.locks" "$venv/.lock"; then
    total=$(sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p' "$venv/.locks" | sort -u | wc -l)
    echo "installing $total locked packages"
    {
        code=0
        # shellcheck disable=SC2086,SC2046
        "$venv/bin/python" -m pip install --progress-bar=off --no-deps --require-hashes $(printf -- '-r %s ' $locks) || code=$?
        echo "$code" > "$venv/.status"
    } | counted "$total"
    [ "$(cat "$venv/.status")" = 0 ] || exit 1
    cp "$venv/.locks" "$venv/.lock"
fi
echo "installing the packages of this checkout"
for package in "$@"; do
    set -- "$@" --editable "$package"
    shift
done
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation "$@"
