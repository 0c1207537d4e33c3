"""Three servers of the production manifests are one broker; nobody else is one of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import nats.errors
import pytest
from nats.aio.client import Client
from pydantic import SecretStr

from dialtone.bus import Bus, Stage
from dialtone.settings import BusSettings
from dialtone.v1.turn_pb2 import LlmTurn
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import until
from tests.deploy.broker import NATS_SERVER, Broker, running_broker
from tests.deploy.cluster_secrets import Secrets
from tests.deploy.rendered import containers_of, environment, one, overlay
from tests.fixtures.gateway import gateway_environment
from tests.fixtures.valkey import ValkeyServer


@pytest.fixture(scope="module")
def cluster(secrets: Secrets, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(overlay("production"), secrets, tmp_path_factory.mktemp("cluster")) as running:
        yield running


def _password(secrets: Secrets) -> SecretStr:
    return SecretStr(secrets.values["nats-gateway"]["password"].decode())


@asynccontextmanager
async def _client(cluster: Broker, server: str, secrets: Secrets) -> AsyncIterator[Client]:
    client = await nats.connect(
        f"tls://localhost:{cluster.ports[server]}",
        user="gateway",
        password=_password(secrets).get_secret_value(),
        tls=ssl.create_default_context(cafile=str(cluster.ca_file)),
        tls_handshake_first=True,
        inbox_prefix="_INBOX.gateway",
    )
    try:
        yield client
    finally:
        await client.close()


async def test_what_is_said_to_one_server_is_heard_at_another(cluster: Broker, secrets: Secrets) -> None:
    async with _client(cluster, "nats-0", secrets) as first, _client(cluster, "nats-2", secrets) as last:
        heard = await last.subscribe("call.c1.events")
        await last.flush()
        async with asyncio.timeout(10):
            while True:  # the other server learns a little later that somebody listens
                await first.publish("call.c1.events", b"over a route")
                with contextlib.suppress(nats.errors.TimeoutError):
                    assert (await heard.next_msg(timeout=0.2)).data == b"over a route"
                    return


@asynccontextmanager
async def _gateway(cluster: Broker, secrets: Secrets) -> AsyncIterator[Bus]:
    """A gateway's bus, with the settings of the manifests; the queue of the text models is there."""
    manifests = overlay("production")
    (gateway,) = (c for c in containers_of(one(manifests, "Deployment", "gateway")) if c["name"] == "gateway")
    settings = BusSettings(
        nats_url=cluster.url,
        nats_user="gateway",
        nats_password=_password(secrets),
        nats_ca_file=cluster.ca_file,
        work_replicas=int(environment(manifests, gateway)["WORK_REPLICAS"]),
    )
    bus = await Bus.connect(settings, name="gateway")
    try:
        await bus.ensure_stage(Stage.LLM, "default")
        yield bus
    finally:
        await bus.close()


async def test_work_is_kept_by_every_server(cluster: Broker, secrets: Secrets) -> None:
    async with _gateway(cluster, secrets):
        assert [len(_streams(port)) for port in cluster.monitors.values()] == [1, 1, 1]


async def test_the_scaler_sees_what_waits(cluster: Broker, secrets: Secrets) -> None:
    """KEDA asks the server that leads the consumer; the others do not know."""
    (trigger,) = one(overlay("production"), "ScaledObject", "llm")["spec"]["triggers"]
    asked = trigger["metadata"]
    async with _gateway(cluster, secrets) as bus:
        for number in range(3):
            work = Work(lease_id=f"lease-{number}", call_id="c1", session_id="s1", turn=LlmTurn())
            await bus.submit(Stage.LLM, "default", work)
        await until(lambda: _load(cluster, asked["stream"], asked["consumer"]) == 3, "the load")


def _load(cluster: Broker, stream: str, consumer: str) -> int | None:
    """What waits and what is in progress, by the word of the consumer's leader."""
    for name, port in cluster.monitors.items():
        for found in (s for s in _streams(port) if s["name"] == stream):
            for detail in found["consumer_detail"]:
                if detail["name"] == consumer and detail["cluster"]["leader"] == name:
                    return int(detail["num_pending"]) + int(detail["num_ack_pending"])
    return None


def _streams(port: int) -> list[dict[str, Any]]:
    """Asked for as KEDA does (pkg/scalers/nats_jetstream_scaler.go)."""
    (scaled,) = one(overlay("production"), "ScaledObject", "llm")["spec"]["triggers"]
    query = f"acc={scaled['metadata']['account']}&consumers=true&config=true"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/jsz?{query}", timeout=5) as answer:
        (account,) = json.load(answer)["account_details"]
        found: list[dict[str, Any]] = account["stream_detail"]
        return found


@pytest.mark.chaos
async def test_a_gateway_waits_for_a_cluster_that_has_no_leader_yet(
    cluster: Broker, secrets: Secrets, valkey: ValkeyServer, tmp_path: Path
) -> None:
    others = [process for name, process in cluster.processes.items() if name != "nats-0"]
    settings = {
        "NATS_URL": cluster.url,
        "NATS_USER": "gateway",
        "NATS_PASSWORD": _password(secrets).get_secret_value(),
        "NATS_CA_FILE": str(cluster.ca_file),
        "REDIS_URL": valkey.url,
        "WORK_REPLICAS": "3",
        "POOL": "new",
    }
    log = tmp_path / "gateway.log"
    try:
        for process in others:
            process.send_signal(signal.SIGSTOP)
        variables = gateway_environment(tmp_path, **settings)
        with log.open("wb") as output:
            gateway = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "dialtone.gateway", env=variables, stdout=output, stderr=output
            )
        await until(lambda: "cannot make the work queue yet" in log.read_text(), "the wait", timeout=30)
        assert gateway.returncode is None
    finally:
        for process in others:
            process.send_signal(signal.SIGCONT)
    try:
        await until(lambda: '"event": "ready"' in log.read_text(), "the start", timeout=60)
    finally:
        gateway.terminate()
        await gateway.wait()


def test_a_server_with_a_certificate_for_something_else_does_not_join(
    cluster: Broker, secrets: Secrets, tmp_path: Path
) -> None:
    """One who has broken into the store has its certificate, which is good for serving alone."""
    tls = secrets.write("valkey-tls", tmp_path / "tls")
    theirs = cluster.configs[0].parent
    for file in ("nats.conf", "cluster.conf", "accounts.conf"):
        text = (theirs / file).read_text().replace(str(theirs), str(tmp_path))
        text = text.replace(str(cluster.ca_file.parent), str(tls))
        for port in (cluster.ports["nats-0"], cluster.monitors["nats-0"]):
            text = text.replace(f"port: {port}", "port: -1")
        (tmp_path / file).write_text(_any_cluster_port(text) if file == "cluster.conf" else text)
    manifests = overlay("production")
    (container,) = containers_of(one(manifests, "StatefulSet", "nats"))
    variables = secrets.resolved(environment(manifests, container, "nats-9"))
    with (tmp_path / "nats.log").open("wb") as log:
        stranger = subprocess.Popen(
            [NATS_SERVER, "--config", str(tmp_path / "nats.conf")], env=variables, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 20
        while not cluster.said("TLS route handshake error"):
            assert time.monotonic() < deadline, "nobody refused it"
            time.sleep(0.02)
    finally:
        stranger.kill()
        stranger.wait()
    assert not cluster.said("nats-9")


def _any_cluster_port(text: str) -> str:
    head, _, tail = text.partition("port: ")
    return f"{head}port: -1{tail[tail.index(chr(10)) :]}"
