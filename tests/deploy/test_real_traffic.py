"""The services, with the environment of the manifests, hold a call over the servers of the manifests."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from rich.console import Console

from dialtone.local.call.realtime import RealtimeCall
from dialtone.local.call.recording import Recording
from dialtone.local.call.report import Transcript
from dialtone.local.call.settings import CallSettings
from tests.deploy.broker import Broker
from tests.deploy.cluster_secrets import Secrets
from tests.deploy.rendered import SERVICES, one, overlay, pod_of
from tests.deploy.service_environment import service_environment
from tests.deploy.store_servers import Store

pytestmark = pytest.mark.timeout(300)  # five processes that load models' libraries, on a busy machine
_START_S = 200.0
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


@dataclass(frozen=True, slots=True)
class Running:
    """`urls`: where each service answers, by its name and the name of its port."""

    urls: dict[tuple[str, str], str]
    logs: dict[str, Path]
    key: SecretStr


@pytest.fixture(scope="module")
def services(
    secrets: Secrets, broker: Broker, store: Store, tables: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("services")
    urls, logs, processes = {}, {}, {}
    with ExitStack() as held:
        migrating = service_environment("gateway", secrets, broker, store, tables, folder, init=True)
        subprocess.run(
            [sys.executable, "-m", "dialtone.gateway.migrate"], env=migrating, timeout=60, check=True
        )
        for name in SERVICES:
            variables = service_environment(name, secrets, broker, store, tables, folder)
            logs[name] = folder / f"{name}.log"
            with logs[name].open("wb") as log:
                processes[name] = subprocess.Popen(
                    [sys.executable, "-m", f"dialtone.{name.replace('-', '_')}"],
                    env={**variables, "STAGES": "simulated"},
                    cwd=folder,
                    stdout=log,
                    stderr=log,
                )
            held.callback(_end, processes[name])
            for port, variable in (("http", "HTTP_PORT"), ("metrics", "METRICS_PORT")):
                if variable in variables:
                    urls[name, port] = f"http://127.0.0.1:{variables[variable]}"
        for name, process in processes.items():
            _until_ready(urls[name, "http"], process, logs[name])
        key = secrets.values["gateway-keys"]["api-keys"].decode().partition(":")[2]
        yield Running(urls, logs, SecretStr(key))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    finally:
        process.kill()
        process.wait()


def _until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"not ready: {log.read_text()[-2000:]}")
        time.sleep(0.05)


async def test_a_call_is_held_and_nobody_asks_for_what_he_may_not(
    services: Running, broker: Broker, question: Recording
) -> None:
    refused = len(broker.violations())
    settings = CallSettings(url=services.urls["gateway", "http"], api_key=services.key, language="en")
    call = RealtimeCall(settings, Transcript(Console(quiet=True)))
    (turn,) = await call.hold(settings.url, [question])
    assert not turn.errors
    assert turn.first_sound is not None
    assert broker.violations()[refused:] == []
    for log in services.logs.values():
        assert "ermissions" not in log.read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_a_probe_asks_for_something_that_is_there(services: Running, name: str) -> None:
    (container,) = pod_of(one(overlay("laptop"), "Deployment", name))["containers"]
    for probe in _PROBES:
        asked = container[probe]["httpGet"]
        answer = httpx.get(services.urls[name, asked["port"]] + asked["path"], timeout=5)
        assert answer.status_code == 200


@pytest.mark.parametrize("name", SERVICES)
def test_metrics_are_where_they_are_scraped(services: Running, name: str) -> None:
    for monitor in (m for m in overlay("production") if m["kind"] == "PodMonitor"):
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            if (url := services.urls.get((name, endpoint["port"]))) and (
                (name == "gateway") == (endpoint["port"] == "metrics")
            ):
                assert "dialtone_bus_connected 1.0" in httpx.get(url + endpoint["path"], timeout=5).text


def test_the_port_of_clients_shows_no_metrics_and_no_documentation(services: Running) -> None:
    for path in ("/metrics", "/docs", "/redoc"):
        assert httpx.get(services.urls["gateway", "http"] + path, timeout=5).status_code == 404
