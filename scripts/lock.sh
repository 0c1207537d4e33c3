#!/bin/sh
# Writes the lock files: those of the images and one for a whole checkout.
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
    printf '%s\n' "-e proto" "-e libs" "-e services/$service" | lock "services/$service/requirements.lock"
done
printf '%s\n' "-e proto" "-e libs" "-e services/llm[local]" | lock services/llm/requirements.lock
printf '%s\n' "-e proto" "-e libs" "-e services/vad-asr[cuda]" | lock services/vad-asr/requirements-cuda.lock
# What builds our own packages in an image, and what fetches models into one.
printf '%s\n' hatchling setuptools | lock deploy/images/build.lock
printf '%s\n' "-e proto" "-e libs[fetch]" | lock deploy/images/models.lock
