"""The model cache: a folder per model, and a marker that says which of its files were seen to be right.

Hashing half a gigabyte takes seconds, so it is done once: the marker holds each file's hash together with the
size and modification time it had then. A file that was touched since is not trusted until it is hashed again.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from dialtone.models.manifest import Model, ModelFile, manifest

MARKER = ".verified.json"
HUB_NAME = re.compile(r"^(?P<repo>[\w.-]+/[\w.-]+)(?::(?P<file>[\w./-]+))?$")
_BLOCK = 1 << 20


class ModelMissing(FileNotFoundError):
    """A model is not in the cache, or not as it was verified. The message says which command fetches it."""


def default_models_dir() -> Path:
    """Return the cache folder: MODELS_DIR, else `.models` of the checkout, else `.models` here."""
    if configured := os.environ.get("MODELS_DIR"):
        return Path(configured)
    above = Path(__file__).resolve().parents
    checkout = next((folder for folder in above if (folder / "requirements-dev.lock").is_file()), Path.cwd())
    return checkout / ".models"


def locate(name: str, models_dir: Path | None = None) -> Path:
    """Return where a model lies.

    `name` is a name of the manifest (its folder is returned), the path of a file or folder of your own (it is
    returned), or a hub name `org/repo[:file]` that was fetched before (its folder, or that file).
    Raises ModelMissing.
    """
    root = models_dir or default_models_dir()
    if model := manifest().get(name):
        if not is_verified(model, root):
            raise ModelMissing(_advice(name, root))
        return root / name
    own = Path(name).expanduser()
    if own.exists():
        return own
    if match := HUB_NAME.match(name):
        folder = hub_folder(root, match["repo"])
        found = folder / match["file"] if match["file"] else folder
        if is_marked(folder) and found.exists():
            return found
        raise ModelMissing(_advice(name, root))
    raise ModelMissing(f"{name} is no path, no hub name and none of the manifest's: {', '.join(manifest())}")


def hub_folder(models_dir: Path, repo: str) -> Path:
    """Return the folder that holds what was fetched of a hub repository given by name."""
    return models_dir / "hub" / repo.replace("/", "--")


def is_verified(model: Model, models_dir: Path) -> bool:
    """Tell whether all files of a model are there, unchanged since they were verified. Hashes nothing."""
    folder = models_dir / model.name
    marks = _read_marker(folder)
    return all(_mark_of(folder, file.name, file.sha256) == marks.get(file.name) for file in model.files)


def is_marked(folder: Path) -> bool:
    """Tell whether the files that a hub name brought are there, unchanged since they came."""
    marks = _read_marker(folder)
    return bool(marks) and all(_mark_of(folder, name, str(mark[0])) == mark for name, mark in marks.items())


def mark_verified(folder: Path, hashes: Iterable[tuple[str, str]]) -> None:
    """Record that the files named (name, sha256) in `folder` were just seen to hash so."""
    marks = {name: _mark_of(folder, name, digest) for name, digest in hashes}
    partial = folder / (MARKER + ".part")
    partial.write_text(json.dumps(marks, indent=1))
    partial.replace(folder / MARKER)


def unmark(folder: Path) -> None:
    """Forget what was verified in `folder`."""
    (folder / MARKER).unlink(missing_ok=True)


def has_hash(path: Path, file: ModelFile, on_bytes: Callable[[int], None]) -> bool:
    """Hash a file (blocking); tell whether it is the one the manifest means. A wrong size is not hashed."""
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    return sha256_of(path, on_bytes) == file.sha256


def sha256_of(path: Path, on_bytes: Callable[[int], None]) -> str:
    """Return the hex sha256 of a file (blocking); `on_bytes` is told of each block's length."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
            on_bytes(len(block))
    return digest.hexdigest()


def _advice(name: str, models_dir: Path) -> str:
    return f"model {name} is not in {models_dir}: fetch it with `make models NAMES={name}`"


def _read_marker(folder: Path) -> dict[str, list[str | int]]:
    try:
        marks = json.loads((folder / MARKER).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return marks if isinstance(marks, dict) else {}


def _mark_of(folder: Path, name: str, digest: str) -> list[str | int]:
    try:
        stat = (folder / name).stat()
    except FileNotFoundError:
        return []
    return [digest, stat.st_size, stat.st_mtime_ns]
