"""A package that is not the one that was locked is refused, wherever images and checkouts are made."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.deploy.dockerfiles import IMAGES, instructions
from tests.deploy.rendered import ROOT, SERVICES

PACKAGE = "idna"  # locked by every service, and of Python alone: a wheel of it installs anywhere
REFUSED = "DO NOT MATCH THE HASHES"


def _commands(text: str) -> list[list[str]]:
    """The commands of pip that install or build what a lock file names."""
    parts = re.split(r"&&|;|\|\||\n|\||\{", re.sub(r"\\\n\s*", " ", text))
    return [shlex.split(part) for part in parts if "--require-hashes" in part and "pip" in part]


def _of_images() -> list[list[str]]:
    said = [
        rest
        for path in sorted(IMAGES.glob("*.Dockerfile"))
        for name, rest in instructions(path.read_text())
        if name == "RUN"
    ]
    return [command for rest in said for command in _commands(rest)]


def _options(command: list[str]) -> list[str]:
    """Those of pip, without its program, its files and its folders, which are those of an image."""
    words = command[next(i for i, word in enumerate(command) if word in ("install", "wheel")) :]
    placed = ("--requirement", "-r", "--wheel-dir")
    left = [word for i, word in enumerate(words) if word not in placed and words[i - 1] not in placed]
    return [word for word in left if "$" not in word]


DIFFERENT = sorted({tuple(_options(command)) for command in _of_images()})


def _locked(lock: Path) -> tuple[str, list[str]]:
    """The locked version of the package, and the hashes that it may have."""
    found = re.search(
        rf"^{PACKAGE}==(\S+)((?: \\\n +--hash=sha256:[0-9a-f]+)+)", lock.read_text(), re.MULTILINE
    )
    assert found
    return found[1], re.findall(r"sha256:([0-9a-f]+)", found[2])


def _wheel(folder: Path, version: str) -> str:
    """Make a wheel with the name of the package and contents of ours; returns its hash."""
    info = f"{PACKAGE}-{version}.dist-info"
    files = {
        f"{PACKAGE}/__init__.py": "TAMPERED = True\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / f"{PACKAGE}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD")))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _pip(options: tuple[str, ...], folder: Path, lock: Path) -> subprocess.CompletedProcess[str]:
    where = "--wheel-dir" if options[0] == "wheel" else "--target"
    return subprocess.run(
        [
            sys.executable,
            *("-m", "pip", *options, "--requirement", str(lock), where, str(folder / "made")),
            *("--no-index", "--find-links", str(folder), "--no-cache-dir", "--disable-pip-version-check"),
        ],
        env={"PATH": "", "HOME": str(folder), "PIP_CONFIG_FILE": "/dev/null"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("options", DIFFERENT, ids=" ".join)
def test_a_wheel_that_was_tampered_with_does_not_get_into_an_image(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    version, hashes = _locked(ROOT / "services/gateway/requirements.lock")
    forged = _wheel(tmp_path, version)
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"{PACKAGE}=={version} {' '.join(f'--hash=sha256:{one}' for one in hashes)}\n")
    refused = _pip(options, tmp_path, lock)
    assert refused.returncode != 0
    assert REFUSED in refused.stderr
    assert not list((tmp_path / "made").rglob("*idna*"))
    # Nothing else was wrong with it.
    lock.write_text(f"{PACKAGE}=={version} --hash=sha256:{forged}\n")
    assert _pip(options, tmp_path, lock).returncode == 0
    assert list((tmp_path / "made").rglob("*idna*"))


@pytest.mark.parametrize("options", DIFFERENT[:1], ids=" ".join)
def test_a_package_that_nobody_locked_does_not_come_with_another(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    version, _ = _locked(ROOT / "services/gateway/requirements.lock")
    _wheel(tmp_path, version)
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"{PACKAGE}=={version}\n")
    refused = _pip(options, tmp_path, lock)
    assert refused.returncode != 0
    assert "Hashes are required" in refused.stderr


def test_every_image_and_a_checkout_are_made_this_way() -> None:
    for name in (*SERVICES, "models"):
        text = (IMAGES / f"{name}.Dockerfile").read_text()
        assert any("--requirement" in command for command in _commands(text)), name
    assert _commands((ROOT / "scripts/venv.sh").read_text())
