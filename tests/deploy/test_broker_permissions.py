"""Who may say and hear what on the broker, with the configuration and the Secrets of the manifests."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import nats
import nats.errors
import pytest
from nats.aio.client import Client

from dialtone.bus import Stage
from dialtone.bus.subjects import consumer_name, stream_name
from tests.deploy.broker import Broker
from tests.deploy.cluster_secrets import Secrets

USERS = ("gateway", "vad-asr", "llm", "tts", "moshi")
STAGE_OF = {"vad-asr": Stage.ASR, "llm": Stage.LLM, "tts": Stage.TTS, "moshi": Stage.MOSHI}
ADVISORIES = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES"


def _make_consumer(stage: Stage) -> str:
    return (
        f"$JS.API.CONSUMER.CREATE.{stream_name(stage)}.{consumer_name(stage, 'default')}.work.{stage}.default"
    )


# Subjects that a service says something on, and those that it listens on (with a queue, after a space).
# Everything that stands with anybody is tried by everybody.
SAYS: dict[str, list[str]] = {
    "gateway": [
        *(f"work.{stage}.default" for stage in Stage),
        *("call.c1.audio", "call.c1.control", "call.c1.events", "gateway.g1.leave", "_INBOX.gateway.x"),
        *("worker.w1.alive", "offers.llm.default", "offers.tts.default"),
        *(
            f"$JS.API.{verb}.{stream_name(stage)}"
            for verb in ("STREAM.CREATE", "STREAM.UPDATE", "STREAM.MSG.GET", "STREAM.MSG.DELETE")
            for stage in Stage
        ),
        *(_make_consumer(stage) for stage in Stage),
    ],
    **{
        user: [
            *("call.c1.events", f"_INBOX.{user}.x"),
            _make_consumer(stage),
            f"$JS.API.CONSUMER.MSG.NEXT.{stream_name(stage)}.{consumer_name(stage, 'default')}",
            f"$JS.ACK.{stream_name(stage)}.{consumer_name(stage, 'default')}.1.1.1.1.0",
        ]
        for user, stage in STAGE_OF.items()
    },
}
HEARS: dict[str, list[str]] = {
    "gateway": [
        *("call.c1.events", "gateway.g1.leave", "_INBOX.gateway.x.*"),
        *(f"{ADVISORIES}.{stream_name(stage)}.* exhausted-work" for stage in Stage),
    ],
    "vad-asr": ["call.c1.audio", "call.c1.control", "worker.w1.alive", "_INBOX.vad-asr.x.*"],
    "llm": ["call.c1.control", "worker.w1.alive", "offers.llm.default offers", "_INBOX.llm.x.*"],
    "tts": ["call.c1.control", "worker.w1.alive", "offers.tts.default offers", "_INBOX.tts.x.*"],
    "moshi": ["call.c1.audio", "call.c1.control", "worker.w1.alive", "_INBOX.moshi.x.*"],
}
NOBODY_SAYS = [
    "anything",
    *("_INBOX.x", "_INBOX.other.x"),
    *("$JS.API.INFO", "$JS.API.STREAM.LIST", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.CREATE.OTHER"),
    *(f"$JS.API.STREAM.{verb}.WORK_ASR" for verb in ("DELETE", "PURGE", "SNAPSHOT", "INFO")),
    *("$JS.API.CONSUMER.CREATE.WORK_ASR", "$JS.API.CONSUMER.CREATE.WORK_ASR.spy.call.>"),
    *("$JS.API.DIRECT.GET.WORK_ASR", "$SYS.REQ.SERVER.PING"),
]
NOBODY_HEARS = [
    *(">", "*.>", "call.>", "call.*.>", "work.>", "work.asr.default", "_INBOX.>", "_INBOX.*.x", "$JS.API.>"),
    *("offers.>", "offers.llm.default", "offers.asr.default offers"),
    *("$SYS.>", "$JS.EVENT.>", f"{ADVISORIES}.WORK_ASR.*"),
]
PUBLISH = re.compile(r'Publish Violation - Subject "(?P<subject>[^"]+)"')
SUBSCRIBE = re.compile(
    r'Subscription Violation - Subject "(?P<subject>[^"]+)"(?:, Queue: "(?P<queue>[^"]+)")?'
)

Connect = Callable[[str], Awaitable[Client]]


@pytest.fixture
async def connect(broker: Broker, secrets: Secrets) -> AsyncIterator[Connect]:
    opened: list[Client] = []

    async def open_one(user: str) -> Client:
        password = secrets.values[f"nats-{user}"]["password"].decode()
        tls = ssl.create_default_context(cafile=str(broker.ca_file))
        client = await nats.connect(
            broker.url,
            user=user,
            password=password,
            tls=tls,
            tls_handshake_first=True,
            inbox_prefix=f"_INBOX.{user}",
            max_reconnect_attempts=0,
        )
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        await client.close()


async def _round_trip(client: Client) -> None:
    """The broker has read all that was written. Twice: nats-py writes a ping ahead of what waits."""
    await client.flush()
    await client.flush()


def _refused(broker: Broker, user: str, kind: re.Pattern[str]) -> set[str]:
    """What this user was refused, by the broker's own log; a queue after a space."""
    found = (kind.search(line) for line in broker.violations() if f"/user:{user}" in line)
    return {" ".join(part for part in match.groups() if part) for match in found if match}


def _all(table: dict[str, list[str]], nobody: list[str]) -> list[str]:
    return sorted({subject for subjects in table.values() for subject in subjects} | set(nobody))


@pytest.mark.parametrize("user", USERS)
async def test_a_service_says_what_it_has_to_say_and_nothing_else(
    broker: Broker, connect: Connect, user: str
) -> None:
    client = await connect(user)
    subjects = _all(SAYS, NOBODY_SAYS)
    for subject in subjects:
        await client.publish(subject, b"")
    await _round_trip(client)
    refused = _refused(broker, user, PUBLISH)
    assert sorted(set(subjects) - refused) == sorted(SAYS[user])


@pytest.mark.parametrize("user", USERS)
async def test_a_service_hears_what_it_has_to_hear_and_nothing_else(
    broker: Broker, connect: Connect, user: str
) -> None:
    client = await connect(user)
    subjects = _all(HEARS, NOBODY_HEARS)
    for subject in subjects:
        name, _, queue = subject.partition(" ")
        await client.subscribe(name, queue=queue)
    await _round_trip(client)
    refused = _refused(broker, user, SUBSCRIBE)
    assert sorted(set(subjects) - refused) == sorted(HEARS[user])


async def test_only_who_was_asked_may_answer_and_only_once(broker: Broker, connect: Connect) -> None:
    gateway, worker = await connect("gateway"), await connect("llm")
    answers = await worker.subscribe("_INBOX.llm.claim")
    claims = await gateway.subscribe("call.c2.events")
    await _round_trip(gateway)
    await _round_trip(worker)
    await worker.publish("call.c2.events", b"claim", reply="_INBOX.llm.claim")
    claim = await claims.next_msg(timeout=5)
    await gateway.publish(claim.reply, b"granted")
    assert (await answers.next_msg(timeout=5)).data == b"granted"
    await gateway.publish(claim.reply, b"again")
    await _round_trip(gateway)
    assert "_INBOX.llm.claim" in _refused(broker, "gateway", PUBLISH)


async def test_nobody_is_let_in_without_a_name_or_with_a_wrong_password(broker: Broker) -> None:
    tls = ssl.create_default_context(cafile=str(broker.ca_file))
    for who in ({}, {"user": "gateway", "password": "wrong"}, {"user": "nobody", "password": "x"}):
        with pytest.raises(nats.errors.Error, match=r"(?i)authorization"):
            await nats.connect(broker.url, tls=tls, tls_handshake_first=True, allow_reconnect=False, **who)


async def test_nothing_is_said_in_clear(broker: Broker) -> None:
    """A server that speaks first tells its name, and invites a client to answer with its password."""
    reader, writer = await asyncio.open_connection("localhost", next(iter(broker.ports.values())))
    writer.write(b"CONNECT {}\r\nPING\r\n")
    heard = await asyncio.wait_for(reader.read(4096), 10)
    writer.close()
    assert b"INFO" not in heard
    assert b"PONG" not in heard


async def test_a_message_is_as_large_as_the_broker_says(connect: Connect) -> None:
    assert (await connect("gateway")).max_payload == 1024 * 1024
