"""The engine that builds and runs containers: Docker, or podman, whichever is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SOCKET_S = 20.0
_TICK_S = 1.0


class NoEngine(Exception):
    """There is nothing that runs containers; the text says what was looked for."""


class EngineFailed(Exception):
    """A command of the engine failed; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Engine:
    """`variables`: what the engine's clients are told, where it is among them (DOCKER_HOST)."""

    program: str
    podman: bool
    variables: Mapping[str, str]

    def run(self, *arguments: str, timeout: float = 60.0) -> str:
        """Run a command of the engine and return what it printed. Raises EngineFailed."""
        done = self.tried(*arguments, timeout=timeout)
        if done.returncode:
            raise EngineFailed(f"{' '.join(arguments[:3])}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    def tried(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a command of the engine that may fail."""
        return subprocess.run(
            [self.program, *arguments],
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """What the engine knows of an image or a container. Raises EngineFailed."""
        (found,) = json.loads(self.run(kind, "inspect", name))
        assert isinstance(found, dict)
        return found

    def has_image(self, name: str) -> bool:
        return self.tried("image", "inspect", name).returncode == 0


@contextmanager
def found_engine(folder: Path) -> Iterator[Engine]:
    """The engine, spoken to by a socket that Compose can use; `folder` holds podman's. Raises NoEngine."""
    docker, podman = shutil.which("docker"), shutil.which("podman")
    answers = docker and subprocess.run([docker, "info"], capture_output=True, timeout=60, check=False)
    if docker and answers and answers.returncode == 0 and os.environ.get("ENGINE", "docker") == "docker":
        yield Engine(docker, podman=False, variables={})
    elif podman:
        with _served(podman, folder / "podman.sock") as variables:
            yield Engine(podman, podman=True, variables=variables)
    else:
        raise NoEngine(
            "neither a Docker that answers nor podman is here: images were not built, nothing was run"
        )


@contextmanager
def _served(podman: str, socket: Path) -> Iterator[dict[str, str]]:
    """Podman's service, which speaks Docker's protocol."""
    with (socket.parent / "podman.log").open("wb") as log:
        address = f"unix://{socket}"
        serving = subprocess.Popen(
            [podman, "system", "service", "--time", "0", address], stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + _SOCKET_S
            while not socket.exists():
                if serving.poll() is not None or time.monotonic() > deadline:
                    raise NoEngine(
                        f"podman does not serve: {(socket.parent / 'podman.log').read_text()[-500:]}"
                    )
                time.sleep(0.05)
            yield {"DOCKER_HOST": address}
        finally:
            serving.terminate()
            serving.wait()
            socket.unlink(missing_ok=True)


@contextmanager
def health_looked_after(engine: Engine) -> Iterator[None]:
    """Have health checks run: podman leaves them to timers of systemd, and without one nobody runs them."""
    if not engine.podman or Path("/run/systemd/system").exists():
        yield
        return
    ended = threading.Event()

    def tick() -> None:
        # Those that are well are left alone: to ask them takes time of the machine that is measured.
        waiting = ["ps", "--quiet", "--filter", "status=running"]
        while not ended.wait(_TICK_S):
            for state in ("starting", "unhealthy"):
                for container in engine.tried(*waiting, "--filter", f"health={state}").stdout.split():
                    engine.tried("healthcheck", "run", container)

    ticking = threading.Thread(target=tick)
    ticking.start()
    try:
        yield
    finally:
        ended.set()
        ticking.join()
