"""A network that raises, crashes or hangs on one call's sound costs neither its words nor another call's."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dialtone.bus import HandBack
from dialtone.fence import ModelProcess
from dialtone.v1.ears_pb2 import EarsConfig, TurnDetection
from dialtone.vad_asr.asr.pool import InferencePool
from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.vad.chunks import CHUNK, CHUNK_BYTES
from dialtone.vad_asr.vad.fenced import FencedNetwork, SileroGate
from dialtone.vad_asr.vad.silero import CONTEXT_BYTES, Network, judge
from tests.contract.bus.call_side import until
from tests.fixtures.speech import Samples, recording, silence, voice_like
from tests.vad_asr.ears_call import EarsCall, server_vad
from tests.vad_asr.fragile_network import load, load_once, mark
from tests.vad_asr.pooled import pooled

TIMEOUT_S = 1.0


async def _nothing() -> None:
    return


def every_chunk() -> EarsConfig:
    """The network is asked about all that is heard."""
    return server_vad(300, engine=TurnDetection.ENGINE_SILERO)


def question(middle: Samples | None = None) -> Samples:
    middle = voice_like(0.1) if middle is None else middle
    return np.concatenate([silence(0.3), voice_like(0.5), middle, voice_like(0.5), silence(0.6)])


def turns(call: EarsCall) -> list[tuple[int, int, int, str]]:
    """Where each turn began and ended, where its voice did, and its words."""
    return [
        (started.audio_start_us, stopped.audio_end_us, stopped.speech_end_us, final.text)
        for started, stopped, final in zip(call.started, call.stopped, call.transcripts(), strict=True)
    ]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "asked"


def asked(journal: Path) -> list[list[float]]:
    """Of each question which process was asked, and how many chunks of each stream it was told were heard."""
    return [json.loads(line) for line in journal.read_text().splitlines()]


@pytest.fixture
async def model(journal: Path) -> AsyncIterator[ModelProcess[Network]]:
    process: ModelProcess[Network] = ModelProcess("fragile", partial(load, journal))
    await process.start()
    yield process
    await process.close()


@pytest.fixture
async def network(model: ModelProcess[Network]) -> AsyncIterator[FencedNetwork]:
    network = FencedNetwork(model, TIMEOUT_S)
    yield network
    await network.close()


@pytest.fixture
def ears(network: FencedNetwork, pool: InferencePool) -> Ears:
    return Ears(EarsSettings(), partial(SileroGate, network), lambda: pooled(pool), _nothing)


async def undisturbed(ears: Ears, *samples: Samples) -> list[tuple[int, int, int, str]]:
    call = EarsCall(every_chunk(), call_id="undisturbed").start(ears.handle)
    for each in samples:
        call.say(each)
    await call.finish()
    return turns(call)


@pytest.mark.parametrize("fault", ["raise", "crash", pytest.param("hang", marks=pytest.mark.chaos)])
async def test_a_sound_that_breaks_the_network_costs_no_words_and_no_other_call_anything(
    ears: Ears, model: ModelProcess[Network], journal: Path, fault: str
) -> None:
    expected = await undisturbed(ears, question(), question())
    before = model.pid
    hit = EarsCall(every_chunk(), call_id="hit").start(ears.handle)
    beside = EarsCall(every_chunk(), call_id="beside").start(ears.handle)
    for call, first in ((hit, question(mark(fault))), (beside, question())):
        call.say(first)
        call.say(question())
    await beside.finish()
    await hit.finish()
    assert turns(beside) == expected
    assert len(expected) == len(turns(hit)) == 2
    for (start, end, voiced, words), (_, _, _, expected_words) in zip(turns(hit), expected, strict=True):
        assert 1.0 <= (voiced - start) / 1e6 <= 1.6
        assert end > voiced
        assert abs(float(words.split()[0]) - float(expected_words.split()[0])) <= 0.2
    assert (model.pid == before) == (fault == "raise")
    # Lost with both calls in it and with the one alone, twice each since once may be chance, and never again.
    lives = len({process for process, *_ in asked(journal)})
    assert lives == 1 if fault == "raise" else 2 <= lives <= 5


async def test_a_network_that_is_killed_in_the_middle_of_a_word_is_missed_by_nobody(
    ears: Ears, model: ModelProcess[Network], journal: Path
) -> None:
    words = question()
    middle = len(words) // 3
    expected = await undisturbed(ears, words[:middle], words[middle:])
    first = len(asked(journal))
    calls = [EarsCall(every_chunk(), call_id=name).start(ears.handle) for name in ("one", "two")]
    for call in calls:
        call.say(words[:middle])
    await until(lambda: all(call.started for call in calls), "both to speak", timeout=30)
    os.kill(model.pid, signal.SIGKILL)
    for call in calls:
        call.say(words[middle:])
    for call in calls:
        await call.finish()
        assert turns(call) == expected
    # What was remembered of a stream was not lost with the process.
    assert sum(heard.count(0.0) for _, *heard in asked(journal)[first:]) == len(calls)


async def test_calls_whose_network_is_given_up_are_handed_to_ears_that_have_one(
    tmp_path: Path, pool: InferencePool
) -> None:
    model: ModelProcess[Network] = ModelProcess("broken", partial(load_once, tmp_path / "loaded"))
    await model.start()
    network = FencedNetwork(model, TIMEOUT_S)
    ears = Ears(EarsSettings(), partial(SileroGate, network), lambda: pooled(pool), _nothing)
    calls = [EarsCall(every_chunk(), call_id=name).start(ears.handle) for name in ("one", "two")]
    try:
        for call in calls:
            call.say(question())
        for call in calls:
            with pytest.raises(HandBack, match="no memory left"):
                await call.ended(20)
            assert call.bodies == []  # the next ears hear it all
    finally:
        await network.close()
        await model.close()


async def test_streams_that_wait_are_asked_about_together(network: FencedNetwork, journal: Path) -> None:
    loud = bytes(CONTEXT_BYTES) + voice_like(0.032).tobytes()
    sounds = [loud if stream % 3 else bytes(len(loud)) for stream in range(8)]
    states = [np.full((2, 128), 100.0 + stream, dtype=np.float32) for stream in range(8)]
    answers = await asyncio.gather(*map(network.judge, sounds, states))
    assert [said for said, _ in answers] == [[float(stream % 3 > 0)] for stream in range(8)]
    assert [state[0, 0] for _, state in answers] == [101.0 + stream for stream in range(8)]
    assert [len(heard) for _, *heard in asked(journal)] == [1, 7]


async def test_who_leaves_with_a_question_on_its_way_holds_nobody_up(ears: Ears) -> None:
    expected = await undisturbed(ears, question())
    calls = [EarsCall(every_chunk(), call_id=str(number)).start(ears.handle) for number in range(4)]
    for call in calls:
        call.say(question())
        await call.lease_idle()
    for call in calls[::2]:
        await call.cancel()
    for call in calls[1::2]:
        await call.finish()
        assert turns(call) == expected


async def test_who_leaves_is_not_asked_about_and_nobody_twice_for_it(
    model: ModelProcess[Network], journal: Path
) -> None:
    network = FencedNetwork(model, TIMEOUT_S, every_s=0.3)
    loud = bytes(CONTEXT_BYTES) + voice_like(0.032).tobytes()
    nothing_heard = np.zeros((2, 128), dtype=np.float32)
    await network.judge(loud, nothing_heard)
    streams = [asyncio.create_task(network.judge(loud, nothing_heard)) for _ in range(8)]
    await asyncio.sleep(0)  # they have asked, and wait for the next question
    streams[0].cancel()
    while network._asking is None:  # noqa: ASYNC110 - nobody is told of that
        await asyncio.sleep(0)
    for _ in range(3):  # and it is on its way
        await asyncio.sleep(0)
    streams[1].cancel()
    assert [said for said, _ in await asyncio.gather(*streams[2:])] == [[1.0]] * 6
    assert [len(heard) for _, *heard in asked(journal)] == [1, 7]
    await network.close()


@pytest.mark.models
async def test_streams_that_are_judged_together_are_judged_as_alone(silero: ModelProcess[Network]) -> None:
    spoken = {"en_weather_question": 40, "en_hello_world": 7}  # chunks of each
    sounds = [
        bytes(CONTEXT_BYTES) + recording(name).samples()[: CHUNK * chunks].tobytes()
        for name, chunks in spoken.items()
    ]
    nothing_heard = np.zeros((2, 2, 128), dtype=np.float32)
    said, states = await silero.run(5.0, judge, sounds, nothing_heard)
    assert [len(each) for each in said] == list(spoken.values())
    assert max(said[0]) > 0.9 > 0.1 > min(said[0])
    for stream, sound in enumerate(sounds):
        state = nothing_heard[:, :1]
        for number, probability in enumerate(said[stream]):
            end = CONTEXT_BYTES + (number + 1) * CHUNK_BYTES
            part = sound[number * CHUNK_BYTES : end]
            [[alone]], state = await silero.run(5.0, judge, [part], state)
            assert alone == pytest.approx(probability, abs=1e-4)
        assert state[:, 0] == pytest.approx(states[:, stream], abs=1e-3)
