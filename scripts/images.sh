#!/bin/sh
# Builds the images and looks whether they are what they are to be:
#   scripts/images.sh [NAME...]        gateway vad-asr llm tts models, all of them without a name; moshi
# Variables: ENGINE (podman, docker or buildah, whichever is there), TAG (the packages' version), MODELS (to be held by
# the images of workers: names of libs/src/dialtone/models/manifest.toml), CUDA=1 (ears for a GPU), PYTHON (base image),
# BUILD_ARGS (of the engine, as they are), SBOM=FOLDER (a CycloneDX list of each image, by syft: that of the checkout's
# virtual environment, or SYFT).
set -eu
cd "$(dirname "$0")/.."
engine=${ENGINE:-$(command -v podman || command -v docker || command -v buildah || true)}
[ -n "$engine" ] || { echo "neither podman nor docker nor buildah is installed" >&2; exit 1; }
tag=${TAG:-$(sed -n 's/^version = "\(.*\)"/\1/p' services/gateway/pyproject.toml)}
registry=${REGISTRY:-dialtone}

build() { # build NAME
    set -- --file "deploy/images/$1.Dockerfile" --tag "$registry/$1:$(tag_of "$1")"
    [ -z "${PYTHON:-}" ] || set -- "$@" --build-arg "PYTHON=$PYTHON"
    [ -z "${MODELS:-}" ] || set -- "$@" --build-arg "MODELS=$MODELS"
    [ -z "${CUDA:-}" ] || set -- "$@" --build-arg LOCK=requirements-cuda.lock
    # Images of OCI's own format have no health check.
    case "${engine##*/}" in podman | buildah) set -- --format docker "$@" ;; esac
    # shellcheck disable=SC2086
    "$engine" build ${BUILD_ARGS:-} "$@" .
}

tag_of() {
    if [ "$1" = vad-asr ] && [ -n "${CUDA:-}" ]; then echo "$tag-cuda"; else echo "$tag"; fi
}

# As Kubernetes runs it: no root, nothing writable but /tmp, no rights, no network.
confined() { # confined NAME COMMAND...
    image="$registry/$1:$(tag_of "$1")"
    shift
    "$engine" run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --network none \
        --entrypoint "" "$image" "$@"
}

look() { # look NAME
    module=$(echo "$1" | tr - _ | sed s/moshi/llm.moshi/)
    confined "$1" python -c "
import importlib.util, os, pathlib, sys
assert os.getuid() == 10001, 'runs as root'
assert 'CapEff:\t0000000000000000' in pathlib.Path('/proc/self/status').read_text(), 'has rights'
assert importlib.util.find_spec('dialtone.$module'), 'not installed'
service = pathlib.Path(importlib.util.find_spec('dialtone.$module').submodule_search_locations[0])
assert '$1' != 'gateway' or (service / 'web' / 'index.html').is_file(), 'has no page'
assert '$1' == 'models' or not importlib.util.find_spec('pip'), 'can install more'
try:
    open('/app/written', 'w')
except OSError:
    sys.exit()
sys.exit('writes its own files')
"
    if [ -n "${SBOM:-}" ]; then
        mkdir -p "$SBOM"
        list="$SBOM/$1${CUDA:+-cuda}"
        case "${engine##*/}" in podman) format="--format docker-archive" ;; *) format="" ;; esac
        # shellcheck disable=SC2086
        "$engine" save $format --output "$list.tar" "$registry/$1:$(tag_of "$1")"
        SYFT_CHECK_FOR_APP_UPDATE=false "${SYFT:-.venv/bin/syft}" --quiet \
            --output "cyclonedx-json=$list.cdx.json" "docker-archive:$list.tar"
        rm "$list.tar"
    fi
    echo "$registry/$1:$(tag_of "$1"): as it is to be"
}

[ $# -gt 0 ] || set -- gateway vad-asr llm tts models
for name in "$@"; do
    build "$name"
    [ "${engine##*/}" = buildah ] || look "$name"
done
