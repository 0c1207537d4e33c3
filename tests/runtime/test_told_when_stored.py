"""A client is told that something is done when the store has it, or soon; sound waits for no store."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from dialtone.bus import Bus
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.call import CoreEvent
from dialtone.gateway.runtime import changes
from dialtone.gateway.runtime.outbound import Frame, Outbound
from tests.runtime.held_call import Held, item, running

TOLD_S = 5.0  # of a machine with other things to do

DONE = "conversation.item.done"


def of_the_call(held: Held, *effects: do.Effect) -> None:
    """Have the call do this next, whatever its rules say."""
    rules = held.call.handle

    def once(_event: CoreEvent, _now: float) -> list[do.Effect]:
        held.call.handle = rules  # type: ignore[method-assign]
        return list(effects)

    held.call.handle = once  # type: ignore[method-assign, assignment]
    held.runner.put(do.Tick())


async def test_an_item_is_done_when_it_is_stored(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "TELL_S", 60.0)
    async with running(bus) as (held, _):
        held.store.gate.clear()
        for _ in range(3):
            held.runner.put(item())
        await held.until_said("conversation.item.added")
        await asyncio.sleep(0.05)  # in which it would be told, if it were
        assert held.said(DONE) == 0
        held.store.gate.set()
        await held.until_said(DONE, 3)
        ids = [json.loads(frame)["item"]["id"] for frame in held.frames if f'"{DONE}"' in str(frame)]
        assert held.store.items == ids


async def test_a_store_that_is_away_keeps_the_client_waiting_once_and_not_for_long(bus: Bus) -> None:
    async with running(bus) as (held, _):
        held.store.gate.clear()
        began = time.monotonic()
        for number in range(1, 31):
            held.runner.put(item())
            await held.until_said(DONE, number)
        assert time.monotonic() - began < TOLD_S  # and not each 0.2 s later than the one before


async def test_a_store_that_refuses_a_change_is_told_of_once_and_the_call_goes_on(bus: Bus) -> None:
    async with running(bus) as (held, _):
        held.runner.put(item())
        await held.until_said(DONE)
        held.store.refuses = True
        for number in range(2, 5):
            held.runner.put(item())
            await held.until_said(DONE, number)
        await held.until_said("not_stored")
        held.store.refuses = False
        held.runner.put(item())
        await held.until_said(DONE, 5)
        assert held.said("not_stored") == 1
        assert len(held.store.items) == 2
        told = next(frame for frame in held.frames if '"not_stored"' in str(frame))
        assert json.loads(told)["error"]["type"] == "server_error"


async def test_the_users_words_are_told_when_they_are_stored_and_the_answer_does_not_wait_for_them(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "TELL_S", 60.0)
    async with running(bus) as (held, _):
        held.store.gate.clear()
        words = out.TranscriptionCompleted("item_1", 0, "Hello.", out.DurationUsage(1.0))
        sound = out.OutputAudioDelta("resp_1", "item_2", 0, 0, delta=b"\0\0")
        of_the_call(held, do.PutItem(item().item, None), do.Send(words), do.Send(sound))
        await held.until_said("response.output_audio.delta")
        assert held.said("conversation.item.input_audio_transcription.completed") == 0
        held.store.gate.set()
        await held.until_said("conversation.item.input_audio_transcription.completed")


async def test_sound_is_sent_at_once_with_all_that_is_before_it() -> None:
    sent: list[Frame] = []

    async def send(frame: Frame) -> None:
        sent.append(frame)

    outbound = Outbound(send, limit_bytes=1000, send_timeout_s=1, on_stalled=lambda: None)
    stored = asyncio.get_running_loop().create_future()
    sending = asyncio.create_task(outbound.run())
    outbound.put("done", after=stored)
    outbound.put("text")
    await asyncio.sleep(0)
    assert sent == []
    outbound.put(b"sound", urgent=True)
    outbound.put("done too", after=stored)
    outbound.finish()
    await asyncio.sleep(0.01)
    assert sent == ["done", "text", b"sound"]
    stored.set_result(None)
    await asyncio.wait_for(sending, TOLD_S)
    assert sent[3:] == ["done too"]
