"""The Compose file, brought up beside whatever else runs on this machine, and taken away again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.composed.engine import Engine, EngineFailed
from tests.deploy.rendered import ROOT

PROJECT = "dialtone-check"
FILE = ROOT / "docker-compose.yml"
KEY = "compose-check-0123456789abcdef"


class Composition:
    """One project of Compose. Ports of its own: those of the file may be in use."""

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        services: Sequence[str],
        ports: dict[str, dict[int, int]],
        stages: str,
    ) -> None:
        """`services`: which to start; `ports`: for each service, port inside and port of this machine."""
        self.engine = engine
        self.services = tuple(services)
        self.ports = ports
        self._override = folder / "ports.yml"
        self._override.write_text(_override(ports))
        self._variables = {
            **os.environ,
            **engine.variables,
            "API_KEYS": f"check:{KEY}",
            "STAGES": stages,
            "RECORD_CALLS": "1",
        }

    def compose(self, *arguments: str, timeout: float) -> str:
        """Run a command of Compose and return what it said. Raises EngineFailed."""
        compose = str(Path(sys.executable).with_name("docker-compose"))
        files = ("--file", str(FILE), "--file", str(self._override))
        done = subprocess.run(
            [compose, "--progress", "quiet", "--project-name", PROJECT, "--profile", "*", *files, *arguments],
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise EngineFailed(f"compose {arguments[0]}: {(done.stderr or done.stdout).strip()[-3000:]}")
        return done.stdout

    def up(self, timeout: float) -> float:
        """Start it and wait until all of it takes work. Returns the seconds of that. Raises EngineFailed."""
        began = time.monotonic()
        self.compose("up", "--detach", "--no-build", "--wait", *self.services, timeout=timeout)
        return time.monotonic() - began

    def restart(self, service: str) -> float:
        """Restart a service. Returns the seconds until it runs, not until it is ready."""
        began = time.monotonic()
        self.compose("restart", service, timeout=120)
        return time.monotonic() - began

    def container(self, service: str) -> str:
        """The name of a service's container. Raises EngineFailed."""
        found = self.compose("ps", "--all", "--quiet", service, timeout=60).split()
        if len(found) != 1:
            raise EngineFailed(f"{service} has {len(found)} containers")
        return found[0]

    def logs(self) -> str:
        """The end of what each service said."""
        return self.compose("logs", "--no-color", "--tail", "60", timeout=60)

    def down(self) -> list[str]:
        """Take all of it away. Returns what is left: containers, volumes, networks."""
        self.compose("down", "--volumes", "--remove-orphans", timeout=180)
        label = f"label=com.docker.compose.project={PROJECT}"
        left = self.engine.run("ps", "--all", "--quiet", "--filter", label).split()
        for kind in ("volume", "network"):
            left += self.engine.run(kind, "ls", "--quiet", "--filter", label).split()
        return left


def _override(ports: dict[str, dict[int, int]]) -> str:
    services = yaml.safe_load(FILE.read_text())["services"]
    lines = ["services:"]
    for name in services:
        mapped = [f"127.0.0.1:{outside}:{inside}" for inside, outside in ports.get(name, {}).items()]
        lines.append(f"  {name}: {{ ports: !override {mapped} }}")
    return "\n".join(lines) + "\n"
