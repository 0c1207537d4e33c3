"""The task that owns a call: it outlives its store, and ends in good order even when the call breaks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dialtone.bus import (
    Bus,
    BusError,
    BusUnavailable,
    NoResponders,
    Overloaded,
    PayloadTooLarge,
    control_subject,
    events_subject,
)
from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.runtime import call_runner
from dialtone.settings import BusSettings
from dialtone.v1.control_pb2 import Control
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Claim, Grant
from tests.fixtures.nats import NatsServer
from tests.fixtures.waiting import eventually
from tests.runtime.held_call import CALL, Held, item, running


async def test_a_store_that_takes_nothing_holds_back_the_client_and_not_the_call(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_runner, "STORE_LIMIT", 20)
    monkeypatch.setattr(call_runner, "INBOX_LIMIT", 5)
    async with running(bus) as (held, _):
        held.store.gate.clear()

        async def flood() -> None:
            for _ in range(60):
                await held.runner.offer(item(), 100)

        flooding = asyncio.create_task(flood())
        await held.until_said("conversation.item.done", 20)
        for _ in range(50):  # what workers say is heard all the same
            held.runner.put(item())
        await held.until_said("conversation.item.done", 70)
        assert not flooding.done()
        held.store.gate.set()
        await asyncio.wait_for(flooding, 10)
        await held.until_said("conversation.item.done", 110)

        async def stored() -> bool:
            return len(held.store.items) == 110

        await eventually(stored)


async def test_a_call_that_breaks_ends_with_an_internal_error_and_gives_up_what_it_held(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Control] = []
    await bus.subscribe(control_subject(CALL), lambda m: told.append(Control.FromString(m.data)))
    async with running(bus) as (held, task):

        def broken(_event: Any, _now: float) -> list[do.Effect]:
            raise RuntimeError("a fault in the rules")

        monkeypatch.setattr(held.call, "handle", broken)
        held.runner.put(item())
        await asyncio.wait_for(task, 5)
        assert held.runner.close is not None
        assert held.runner.close.code == 1011
        await asyncio.wait_for(held.runner.offer(item(), 100), 1)  # nobody is held up by a call that is over

    async def ended() -> bool:
        return [control.HasField("ended") for control in told] == [True]

    await eventually(ended)
    with pytest.raises(NoResponders):
        await bus.request(events_subject(CALL), b"", timeout=5)


async def test_a_client_that_waits_for_room_is_let_go_when_its_call_ends(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_runner, "STORE_LIMIT", 1)
    monkeypatch.setattr(call_runner, "STORE_FLUSH_S", 0.2)
    async with running(bus) as (held, task):
        held.store.gate.clear()
        await held.runner.offer(item(), 100)
        await held.runner.offer(item(), 100)
        await held.until_said("conversation.item.done", 2)
        waiting = asyncio.create_task(held.runner.offer(item(), 100))
        held.runner.put(ask.Disconnected())
        await asyncio.wait_for(asyncio.gather(task, waiting), 5)


async def test_a_claim_is_not_left_without_an_answer_while_the_last_changes_are_stored(bus: Bus) -> None:
    async with running(bus) as (held, task):
        held.store.gate.clear()
        held.runner.put(item())
        claim = WorkerEvent(lease_id="l1", claim=Claim(worker_id="w")).SerializeToString()
        held.runner.put(ask.Disconnected())
        before = asyncio.create_task(bus.request(events_subject(CALL), claim, timeout=5))
        try:
            assert not Grant.FromString(await before).granted
        except NoResponders:
            pass  # as good: the worker lets go of the work
        with pytest.raises(NoResponders):
            await bus.request(events_subject(CALL), claim, timeout=5)
        assert not task.done()
        held.store.gate.set()
        await asyncio.wait_for(task, 5)
        assert len(held.store.items) == 1


async def test_a_call_that_takes_nothing_in_is_given_so_many_bytes_and_no_more(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_runner, "INBOX_BYTES", 1000)
    held = Held(bus)

    async def offered(size: int) -> bool:
        """Whether it is taken at once."""
        try:
            await asyncio.wait_for(held.runner.offer(item(), size), 0.05)
        except TimeoutError:
            return False
        return True

    assert [await offered(size) for size in (600, 400, 1)] == [True, True, False]
    large = asyncio.create_task(held.runner.offer(item(), 5000))  # waits until it is alone, and is taken
    running = asyncio.create_task(held.runner.run())
    await asyncio.wait_for(large, 5)
    held.runner.put(ask.Disconnected())
    await asyncio.wait_for(running, 5)


@pytest.mark.parametrize("kind", [Overloaded, PayloadTooLarge, BusUnavailable])
async def test_why_work_was_not_queued_is_told_in_words_of_our_own(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, kind: type[BusError]
) -> None:
    inside = "nats: no response from stream WORK_default at 10.1.2.3:4222"

    async def refuse(*_: object) -> None:
        raise kind(inside)

    monkeypatch.setattr(bus, "submit", refuse)
    told: list[do.SubmitFailed] = []
    async with running(bus) as (held, _):
        monkeypatch.setattr(held.runner, "put", told.append)
        await held.runner.offer(ask.CreateResponse(), 0)

        async def failed() -> bool:
            return bool(told)

        await eventually(failed)
        monkeypatch.undo()
        assert told[0].code in ("overloaded", "work_too_large", "bus_unavailable")
        assert not set(inside.split()) & set(told[0].message.split()) - {"no", "from", "at"}


async def test_only_audio_waits_for_the_ears(bus: Bus) -> None:
    audio = ask.AppendAudio(audio=bytes(48_000 * 70))  # more than ears may have ahead, and they have none
    async with running(bus) as (held, _):
        await held.runner.offer(audio, 1)
        await held.runner.offer(item(), 1)
        await held.until_said("conversation.item.done")
        waiting = asyncio.create_task(held.runner.offer(audio, 1))
        await held.runner.offer(item(), 1)
        await held.until_said("conversation.item.done", 2)
        assert not waiting.done()
        held.runner.put(ask.Disconnected())
        await asyncio.wait_for(waiting, 5)


async def test_a_call_that_cannot_begin_says_so(nats_server: NatsServer, bus_settings: BusSettings) -> None:
    bus = await Bus.connect(bus_settings, name="gateway")
    nats_server.kill()

    async def gone() -> bool:
        return not bus.connected

    await eventually(gone)
    held = Held(bus)
    await asyncio.wait_for(held.runner.run(), 5)
    assert held.runner.close is not None
    assert held.runner.close.code == 1013
    await bus.close()


async def test_a_client_that_sends_ahead_waits_for_its_ears_and_is_answered_meanwhile(bus: Bus) -> None:
    async with running(bus) as (held, _):
        taken = 0

        async def upload() -> None:
            nonlocal taken
            for _ in range(300):
                await held.runner.offer(ask.AppendAudio(audio=bytes(48_000)), 64_000)
                taken += 1

        uploading = asyncio.create_task(upload())

        async def full() -> bool:
            return held.call.input_full

        await eventually(full)
        await held.runner.offer(ask.RetrieveItem(item_id="nobody"), 100)
        await held.until_said("error")
        assert taken < 60  # of five minutes
        uploading.cancel()
