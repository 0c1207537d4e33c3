#!/bin/sh
# Writes the lock files: one per service (what its image installs) and one for a whole checkout.
# Local packages are left out of them: they are installed from the tree, without dependencies.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
ours="dialtone-proto dialtone-libs dialtone-gateway dialtone-vad-asr dialtone-llm dialtone-tts dialtone-local"
skip=""
for name in $ours; do skip="$skip --no-emit-package $name"; done

lock() { # lock OUTPUT, requirements on standard input
    # shellcheck disable=SC2086
    "$uv" pip compile - --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --custom-compile-command "make lock" $skip -o "$1"
}

lock requirements-dev.lock < requirements-dev.in
for service in gateway vad-asr tts; do
    printf '%s\n' "-e proto" "-e libs" "-e services/$service" hatchling editables \
        | lock "services/$service/requirements.lock"
done
printf '%s\n' "-e proto" "-e libs" "-e services/llm[local]" hatchling editables | lock services/llm/requirements.lock
