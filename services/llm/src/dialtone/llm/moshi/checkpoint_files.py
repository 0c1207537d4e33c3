"""Where the files of a checkpoint are: a folder, or a repository of the hub and what of it is in a cache.

A file that is in a cache is not asked for again, so that a worker starts as well where the hub is out of
reach. The package's own search is not used: without a network and without a cached config.json it takes the
repository for one that has none, and so for the 7B model.
"""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

from dialtone.llm.moshi.engine import CannotLoad
from dialtone.llm.moshi.engine_settings import MoshiEngineSettings
from dialtone.models.cache import HUB_NAME, ModelMissing, locate
from dialtone.models.hub import HubClient, HubUnavailable


class CheckpointFiles:
    """The files of the variant that the settings name. Raises CannotLoad where none is configured."""

    def __init__(self, settings: MoshiEngineSettings) -> None:
        of_variant = f"moshi_{settings.moshi_variant}"
        path: Path | None = getattr(settings, f"{of_variant}_path")
        repo: str = getattr(settings, f"{of_variant}_repo")
        self._repo: _Repo | None = None
        self._folder = path
        self.setting = f"{of_variant}_path".upper()
        """What to look at where a file is wrong, as the operator wrote it."""
        if path is not None:
            self.setting += f"={path}"
            if not path.is_dir():
                raise CannotLoad(f"{self.setting}: there is no such folder")
            return
        if not repo:
            raise CannotLoad(
                f"MOSHI_VARIANT={settings.moshi_variant} has no weights: "
                f"set {self.setting} to their folder or {of_variant.upper()}_REPO to their hub repository"
            )
        self.setting = f"{of_variant}_repo".upper() + f"={repo}"
        name, _, revision = repo.partition("@")
        if not (match := HUB_NAME.match(name)) or match["file"]:
            raise CannotLoad(f"{self.setting}: a hub repository is owner/name or owner/name@revision")
        try:
            self._folder = locate(name, settings.models_dir)
        except ModelMissing:
            self._repo = _Repo(name, revision or None)

    def find(self, name: str) -> Path:
        """Return a file of the checkpoint, fetched where it has to be (blocking). Raises CannotLoad."""
        found = self.find_if_there(name)
        if found is None:
            raise CannotLoad(f"{self.setting}: {self._folder or 'the repository'} has no {name}")
        return found

    def find_if_there(self, name: str) -> Path | None:
        """The same; None where the checkpoint is known to have no such file."""
        if self._folder is not None:
            path = self._folder / name
            return path if path.is_file() else None
        assert self._repo is not None
        try:
            return self._repo.find(name)
        except HubUnavailable as failure:
            raise CannotLoad(
                f"{self.setting}: {name} is in no cache here and cannot be fetched: {failure}. "
                f"Fetch it where there is a network (make models NAMES={self._repo.name}), or set a path"
            ) from failure


class _Repo:
    def __init__(self, name: str, revision: str | None) -> None:
        self.name = name
        self._revision = revision
        self._hub = HubClient()

    def find(self, file: str) -> Path | None:
        """Raises HubUnavailable."""
        cached = try_to_load_from_cache(self.name, file, revision=self._revision)
        if isinstance(cached, str):
            return Path(cached)
        if cached is _CACHED_NO_EXIST:
            return None
        # The client itself tries for most of a minute to reach what cannot be reached.
        self._hub.probe(self.name, self._revision, ".gitattributes")
        try:
            return Path(hf_hub_download(self.name, file, revision=self._revision))
        except LocalEntryNotFoundError as failure:
            raise HubUnavailable(str(failure)) from failure
        except EntryNotFoundError:
            return None
        except (HfHubHTTPError, OSError) as failure:
            raise HubUnavailable(str(failure)) from failure
