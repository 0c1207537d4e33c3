"""What every vendor's voice promises, whoever speaks."""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing

import numpy as np
import pytest

from dialtone.audio import pcm16_from_bytes, pcm16_to_float
from dialtone.tts.engines.base import Style, UnknownSpeaker
from dialtone.vendors.failures import UpstreamFailure
from tests.tts.backends.conftest import MakeRig, Rig
from tests.tts.backends.speech_server import Speech, tone

pytestmark = pytest.mark.timeout(60)


async def test_the_audio_is_what_the_server_sends(rig: Rig) -> None:
    audio = await rig.say()
    assert audio.dtype == np.float32
    assert len(audio) > 0.2 * rig.engine.sample_rate
    if rig.server is not None:
        assert np.array_equal(audio, pcm16_to_float(pcm16_from_bytes(tone())))


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


async def test_one_emoji_is_no_trouble(rig: Rig) -> None:
    assert np.isfinite(await rig.say("\N{GRINNING FACE}")).all()


async def test_twenty_thousand_characters_are_refused_before_they_are_sent(rig: Rig) -> None:
    with pytest.raises(UpstreamFailure) as refused:
        await rig.say("Words. " * 2_858)
    assert refused.value.code == "text_too_long"
    assert rig.server is None or not rig.server.bodies


async def test_hanging_up_in_mid_sentence_reaches_the_server_within_a_part(
    make_rig: MakeRig, vendor: str
) -> None:
    rig = await make_rig(vendor)
    rig.server.speeches.append(Speech(parts=[tone(0.1)] * 200, pace_s=0.05))
    async with aclosing(rig.engine.speak("A long one.", Style())) as blocks:
        await anext(blocks)
    await rig.until_idle(1.0)


async def test_two_hundred_cancelled_sentences_leak_nothing(rig: Rig) -> None:
    if rig.server is None:
        pytest.skip("two hundred sentences are paid for")
    rig.server.speeches.extend([Speech(parts=[tone(0.02)] * 5, pace_s=0.01)] * 200)
    before = len(asyncio.all_tasks())
    moments = random.Random(7)

    async def cancelled(after_s: float) -> None:
        task = asyncio.create_task(rig.say())
        await asyncio.sleep(after_s)
        task.cancel()
        await asyncio.wait({task})

    for _ in range(20):  # while connecting, waiting, in mid-sentence, and about its end
        await asyncio.gather(*(cancelled(moments.uniform(0, 0.05)) for _ in range(10)))
    await rig.until_idle()
    rig.server.speeches.clear()
    assert len(await rig.say())
    assert len(asyncio.all_tasks()) <= before + 1


async def test_sentences_side_by_side_are_all_spoken(rig: Rig) -> None:
    assert all(len(audio) for audio in await asyncio.gather(*(rig.say(f"Number {n}.") for n in range(5))))
