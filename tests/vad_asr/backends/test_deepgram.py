"""A call's connection to Deepgram: nothing is sent twice, it is kept alive, finals may come in any order."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from dialtone.vad_asr.asr import deepgram_lane
from dialtone.vad_asr.asr.backend import Listener
from dialtone.vad_asr.asr.backends.deepgram import DeepgramBackend
from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.asr.pool import Urgency
from dialtone.vad_asr.asr.recognition import Passage
from dialtone.vendors.failures import UpstreamFailure
from tests.vad_asr.backends.conftest import MakeRig, Rig, passage, until
from tests.vad_asr.backends.deepgram_server import DeepgramServer
from tests.vad_asr.backends.scenes import Scene


@pytest.fixture
async def deepgram(make_rig: MakeRig) -> Rig:
    return await make_rig("deepgram")


def _beginning(whole: Passage, seconds: float) -> Passage:
    return replace(whole, samples=whole.samples[: round(seconds * 16_000)])


async def _ask(rig: Rig, listener: Listener, asked: Passage, urgency: Urgency = Urgency.FINAL) -> str:
    return [heard.text async for heard in listener.hear(rig.question(asked, urgency))][-1]


async def test_only_what_is_new_of_a_turn_is_sent(deepgram: Rig, deepgram_server: DeepgramServer) -> None:
    whole = passage(3.0)
    listener = deepgram.listen()
    deepgram_server.script += [Scene(("One two",)), Scene(("three.",))]
    for seconds in (0.8, 1.6):
        assert await _ask(deepgram, listener, _beginning(whole, seconds), Urgency.PARTIAL) == "One two"
    assert await _ask(deepgram, listener, _beginning(whole, 2.0)) == "One two"  # a pause, then he goes on
    assert await _ask(deepgram, listener, whole) == "One two three."
    assert await _ask(deepgram, listener, whole) == "One two three."  # known already
    assert deepgram_server.sent_s == pytest.approx(3.0)
    assert deepgram_server.open == 1


async def test_the_next_turn_has_the_same_connection_and_words_of_its_own(
    deepgram: Rig, deepgram_server: DeepgramServer
) -> None:
    listener = deepgram.listen()
    deepgram_server.script += [Scene(("First.",)), Scene(("Second.",))]
    assert await _ask(deepgram, listener, passage(1.0)) == "First."
    other = replace(passage(1.0), samples=np.flip(passage(1.0).samples))
    assert await _ask(deepgram, listener, other) == "Second."
    assert len(deepgram_server.queries) == 1


@pytest.mark.parametrize(
    ("base_url", "asked"),
    [
        ("https://api.example/v1/", "wss://api.example/v1/listen"),
        ("wss://http.example/v1", "wss://http.example/v1/listen"),
    ],
)
def test_its_address_may_be_given_as_that_of_a_socket_or_of_its_http(base_url: str, asked: str) -> None:
    assert DeepgramBackend(AsrEntry(backend="deepgram", base_url=base_url)).url == asked


async def test_finals_that_overtook_each_other_are_put_in_order(
    deepgram: Rig, deepgram_server: DeepgramServer
) -> None:
    deepgram_server.swaps = True
    deepgram_server.script.append(Scene(("One", " two", " three.")))
    assert (await deepgram.hear())[-1].text == "One two three."


async def test_a_finalize_without_an_answer_does_not_cost_the_words(
    deepgram: Rig, deepgram_server: DeepgramServer
) -> None:
    deepgram_server.mute = True
    begun = asyncio.get_running_loop().time()
    assert (await deepgram.hear())[-1].text == "Hello there."
    assert asyncio.get_running_loop().time() - begun < 3


async def test_a_connection_is_kept_alive_between_turns(
    deepgram: Rig, deepgram_server: DeepgramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepgram_lane, "_KEEP_ALIVE_S", 0.1)
    deepgram_server.idle_s = 0.6
    listener = deepgram.listen()
    await _ask(deepgram, listener, passage(1.0))
    await until(lambda: deepgram_server.kept_alive >= 12)  # twice as long as the server's patience
    assert deepgram_server.open == 1


async def test_one_that_was_closed_between_turns_is_replaced_unnoticed(
    deepgram: Rig, deepgram_server: DeepgramServer
) -> None:
    listener = deepgram.listen()
    deepgram_server.idle_s = 0.1  # NET-0001
    whole = passage(2.0)
    assert await _ask(deepgram, listener, _beginning(whole, 1.0)) == "Hello there."
    await until(lambda: deepgram_server.open == 0)
    deepgram_server.idle_s = 10.0
    assert await _ask(deepgram, listener, whole) == "Hello there."
    deepgram_server.hang_up()
    assert await _ask(deepgram, listener, passage(1.5)) == "Hello there."


async def test_one_that_nobody_asks_is_closed(
    deepgram: Rig, deepgram_server: DeepgramServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepgram_lane, "_KEEP_ALIVE_S", 0.05)
    monkeypatch.setattr(deepgram_lane, "_IDLE_S", 0.2)
    listener = deepgram.listen()
    await _ask(deepgram, listener, passage(1.0))
    await until(lambda: deepgram_server.open == 0)
    assert await _ask(deepgram, listener, passage(1.0)) == "Hello there."


async def test_results_without_end_fill_no_memory_and_cost_one_turn_at_most(
    deepgram: Rig, deepgram_server: DeepgramServer
) -> None:
    listener = deepgram.listen()
    await _ask(deepgram, listener, passage(1.0))
    await deepgram_server.ramble(1_200)
    with suppress(UpstreamFailure):  # where it was asked before it had rambled for too long
        await _ask(deepgram, listener, passage(1.2))
    assert await _ask(deepgram, listener, passage(1.3)) == "Hello there."
    assert len(deepgram_server.queries) == 2, "who rambles is left"


async def test_the_end_of_a_call_closes_the_stream(deepgram: Rig, deepgram_server: DeepgramServer) -> None:
    listener = deepgram.listen()
    await _ask(deepgram, listener, passage(1.0))
    await listener.close()
    await until(lambda: deepgram_server.open == 0)
    assert deepgram_server.closed_streams == 1


async def test_a_call_never_holds_more_than_three(deepgram: Rig, deepgram_server: DeepgramServer) -> None:
    listener = deepgram.listen()
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, deepgram_server.open)
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    deepgram_server.script += [Scene(pace_s=0.05)] * 8
    await asyncio.gather(*(_ask(deepgram, listener, passage(0.5 + n / 10)) for n in range(8)))
    watching.cancel()
    assert 2 <= most <= 4  # one may be closing
