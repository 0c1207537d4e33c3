"""What every voice promises, whoever speaks."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace

import numpy as np
import pytest

from dialtone.audio import pcm16_from_bytes, pcm16_to_float
from dialtone.tts.engines.base import SpeechFailed, Style, UnknownSpeaker
from dialtone.tts.sound import sound
from dialtone.vendors.failures import UpstreamFailure
from tests.fixtures.kept import kept, until_no_more_than
from tests.fixtures.left import leave_two_hundred
from tests.tts.backends.conftest import MakeRig
from tests.tts.backends.rig import Rig
from tests.tts.backends.speech_server import Speech, tone

pytestmark = pytest.mark.timeout(120)

_LONG = "This is long enough to be given in more than one piece whoever speaks it and to take a while " * 2
_STILL = Style(noise_scale=0.0, noise_scale_w=0.0)
"""Of engines that make some noise of their own: none, so that a sentence can be compared to itself."""


async def test_a_sentence_becomes_audio(rig: Rig) -> None:
    audio = await rig.say()
    assert audio.dtype == np.float32
    assert np.isfinite(audio).all()
    assert np.abs(audio).max() <= 1.0
    assert len(audio) > 0.2 * rig.engine.sample_rate
    if rig.server is not None:
        assert np.array_equal(audio, pcm16_to_float(pcm16_from_bytes(tone())))


async def test_audio_comes_in_order_and_as_fast_as_it_is_taken(rig: Rig) -> None:
    if rig.paid:
        pytest.skip("it does not say the same twice")
    if rig.server is not None:
        parts = [np.full(480, level, dtype="<i2").tobytes() for level in range(100, 2_000, 100)]
        rig.server.speeches.extend([Speech(parts=parts), Speech(parts=parts)])
    at_once = await rig.blocks(_LONG, _STILL)
    taken = []
    async with aclosing(rig.engine.speak(_LONG, _STILL)) as blocks:
        async for block in blocks:
            taken.append(block)
            await asyncio.sleep(0.002)
    if rig.server is None:
        assert len(at_once) > 1
        longest = rig.piece_s * rig.engine.sample_rate
        assert len(at_once[0]) <= longest, "the beginning does not wait for the end"
    assert np.array_equal(np.concatenate(taken), np.concatenate(at_once))


async def test_audio_is_handed_on_before_the_sentence_is_complete(make_rig: MakeRig, vendor: str) -> None:
    rig = await make_rig(vendor)
    rig.server.speeches.append(Speech(parts=[tone(0.1)] * 4, pace_s=0.1))
    now = asyncio.get_running_loop().time
    times = [now() async for _ in rig.engine.speak("Hello.", Style())]
    assert times[-1] - times[0] > 0.15


@pytest.mark.parametrize("size", [1, 3, 4_801])
async def test_parts_that_end_within_a_sample_are_put_together(
    make_rig: MakeRig, vendor: str, size: int
) -> None:
    rig = await make_rig(vendor)
    sent = tone(0.02) if size < 10 else tone()
    parts = [sent[at : at + size] for at in range(0, len(sent), size)]
    rig.server.speeches.append(Speech(parts=parts))
    assert np.array_equal(await rig.say(), pcm16_to_float(pcm16_from_bytes(sent)))


async def test_a_gain_is_applied(make_rig: MakeRig, vendor: str) -> None:
    plain, loud = await (await make_rig(vendor)).say(), await (await make_rig(vendor, gain=2.0)).say()
    assert np.allclose(loud, 2 * plain)


async def test_speed_goes_to_the_server_and_what_it_does_not_take_is_refused(
    make_rig: MakeRig, vendor: str
) -> None:
    rig = await make_rig(vendor)
    await rig.say(style=Style(speed=1.5, length_scale=0.75))
    assert "2.0" in str(rig.server.bodies[-1])
    with pytest.raises(UpstreamFailure) as refused:
        await rig.say(style=Style(speed=9.0))
    assert (refused.value.code, len(rig.server.bodies)) == ("invalid_voice", 1)
    assert "speed" in refused.value.message
    with pytest.raises(UnknownSpeaker):
        await rig.say(style=Style(speaker="7"))


async def test_what_is_said_fast_is_short(rig: Rig) -> None:
    if rig.server is not None or rig.paid:
        pytest.skip("another test: it is the server's to do")
    plain, fast = await rig.say(_LONG, _STILL), await rig.say(_LONG, replace(_STILL, speed=2.0))
    assert 0.35 < len(fast) / len(plain) < 0.65


async def test_a_sentence_that_is_left_stops_within_a_part(rig: Rig) -> None:
    if rig.server is not None:
        rig.server.speeches.append(Speech(parts=[tone(0.1)] * 200, pace_s=0.05))
    async with aclosing(rig.engine.speak(_LONG, Style())) as blocks:
        await anext(blocks)
        left = time.monotonic()
    await rig.until_idle(1.0)
    assert time.monotonic() - left < 1.0, "the rest was not waited for"
    assert len(await rig.say())


async def test_one_that_gives_nothing_is_given_up_in_time(rig: Rig) -> None:
    async with rig.silent() as engine:
        begun = time.monotonic()
        with pytest.raises(SpeechFailed, match="no audio for"):
            async with aclosing(
                sound(engine, "Hello there.", Style(), block_timeout_s=rig.deadline_s)
            ) as blocks:
                await anext(blocks)
        assert time.monotonic() - begun < rig.deadline_s + 2.0
    await rig.until_idle()
    assert len(await rig.say()), "the next sentence is spoken"


async def test_two_hundred_cancelled_sentences_leak_nothing(rig: Rig, request: pytest.FixtureRequest) -> None:
    if rig.paid:
        pytest.skip("two hundred sentences are paid for")
    await asyncio.gather(*(rig.say() for _ in range(10)))
    await rig.until_idle()
    if rig.server is not None:
        rig.server.speeches.extend([Speech(parts=[tone(0.02)] * 5, pace_s=0.01)] * 200)
    before = kept()
    await leave_two_hundred(lambda: rig.engine.speak(_LONG, Style()), request)
    await rig.until_idle()
    if rig.server is not None:
        rig.server.speeches.clear()
    begun = time.monotonic()
    assert len(await rig.say())
    assert time.monotonic() - begun < rig.next_s, "nobody waits for what was cancelled"
    await until_no_more_than(before, connections=rig.connections)


async def test_sentences_side_by_side_are_all_spoken(rig: Rig) -> None:
    assert all(len(audio) for audio in await asyncio.gather(*(rig.say(f"Number {n}.") for n in range(5))))
