"""The broker of the manifests, run here: all is theirs but ports and folders."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy.cluster_secrets import Secrets
from tests.deploy.rendered import Manifest, containers_of, environment, one
from tests.fixtures.nats import free_port

_START_S = 30.0
NATS_SERVER = str(Path(sys.executable).with_name("nats-server"))


@dataclass(frozen=True, slots=True)
class Broker:
    """`url` is that of the first server; a name of a server tells its port for clients."""

    url: str
    ports: dict[str, int]
    monitors: dict[str, int]
    logs: tuple[Path, ...]
    ca_file: Path
    configs: tuple[Path, ...]
    processes: dict[str, subprocess.Popen[bytes]]

    def violations(self) -> list[str]:
        """What the broker has refused anybody."""
        return [line for log in self.logs for line in log.read_text().splitlines() if "Violation" in line]

    def said(self, text: str) -> bool:
        return any(text in log.read_text() for log in self.logs)


@contextmanager
def running_broker(manifests: tuple[Manifest, ...], secrets: Secrets, folder: Path) -> Iterator[Broker]:
    """As many servers as the overlay has, ready."""
    stateful = one(manifests, "StatefulSet", "nats")
    (container,) = containers_of(stateful)
    config: dict[str, str] = one(manifests, "ConfigMap", "nats")["data"]
    names = [f"nats-{number}" for number in range(stateful["spec"]["replicas"])]
    tls = secrets.write("nats-tls", folder / "tls")
    ports = {name: {port: free_port() for port in (4222, 6222, 8222)} for name in names}
    logs, processes = [], []
    try:
        for name in names:
            home = folder / name
            home.mkdir()
            for file, text in config.items():
                moved = text.replace("/etc/nats/tls", str(tls)).replace('"/data"', f'"{home / "data"}"')
                moved = moved.replace("/tmp/nats.pid", str(home / "nats.pid"))
                for other in names:
                    moved = moved.replace(f"{other}.nats:6222", f"localhost:{ports[other][6222]}")
                for port, here in ports[name].items():
                    moved = moved.replace(f"port: {port}", f"port: {here}")
                (home / file).write_text(moved)
            log = home / "nats.log"
            with log.open("wb") as output:
                variables = secrets.resolved(environment(manifests, container, name))
                command = [NATS_SERVER, "--config", str(home / "nats.conf")]
                processes.append(subprocess.Popen(command, env=variables, stdout=output, stderr=output))
            logs.append(log)
        for name, log, process in zip(names, logs, processes, strict=True):
            _until_healthy(ports[name][8222], log, process)
        yield Broker(
            url=f"tls://localhost:{ports[names[0]][4222]}",
            ports={name: found[4222] for name, found in ports.items()},
            monitors={name: found[8222] for name, found in ports.items()},
            logs=tuple(logs),
            ca_file=tls / "ca.crt",
            configs=tuple(folder / name / "nats.conf" for name in names),
            processes=dict(zip(names, processes, strict=True)),
        )
    finally:
        for process in processes:
            process.kill()
            process.wait()


def _until_healthy(port: int, log: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait for all of it, a leader of the cluster included: without one no stream can be made."""
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("nats-server does not start: " + log.read_text()[-2000:])
        time.sleep(0.05)
