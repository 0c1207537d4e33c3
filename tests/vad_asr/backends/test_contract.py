"""What every recogniser promises, whoever it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from dialtone.vad_asr.asr.pool import Urgency
from dialtone.vad_asr.asr.recognition import Recognition
from dialtone.vendors.failures import UpstreamFailure
from tests.fixtures.kept import kept, until_no_more_than
from tests.vad_asr.backends.conftest import Rig, hour, nothing, passage
from tests.vad_asr.backends.scenes import UNSPOKEN, Scene

pytestmark = pytest.mark.timeout(120)


async def test_the_answer_comes_last_and_whole(rig: Rig) -> None:
    heard = await rig.hear()
    assert [recognition.partial for recognition in heard] == [True] * (len(heard) - 1) + [False]
    assert rig.expected.lower() in heard[-1].text.lower()
    assert heard[-1].compute_us > 0
    if rig.server is not None:
        assert heard[-1].text == rig.expected


async def test_what_is_shown_grows_into_the_answer(rig: Rig) -> None:
    if rig.server is not None:
        rig.server.script.append(Scene(pace_s=0.1))
    heard = await rig.hear()
    if rig.backend.abilities.words_as_they_come and rig.server is not None:
        assert [recognition.text for recognition in heard] == ["Hello", "Hello there.", "Hello there."]
    lengths = [len(recognition.text) for recognition in heard]
    assert lengths == sorted(lengths) or rig.server is None


async def test_a_cancelled_question_is_let_go_of_at_once(rig: Rig) -> None:
    listener = rig.listen()
    for wait_s in (0.0, 0.01, 0.05):
        task = asyncio.create_task(_last(listener.hear(rig.question())))
        await asyncio.sleep(wait_s)
        task.cancel()
        await asyncio.wait({task})
    await listener.close()
    await rig.until_idle()


async def test_two_hundred_cancelled_questions_leak_nothing(rig: Rig) -> None:
    if rig.name.startswith("live"):
        pytest.skip("two hundred questions are paid for")
    await asyncio.gather(*(rig.hear() for _ in range(10)))
    for listener in rig.listeners:
        await listener.close()
    await rig.until_idle()
    before = kept()
    moments = random.Random(7)

    async def cancelled(after_s: float) -> None:
        listener = rig.backend.listen()
        task = asyncio.create_task(_last(listener.hear(rig.question())))
        await asyncio.sleep(after_s)
        task.cancel()
        await asyncio.wait({task})
        await listener.close()

    for _ in range(20):  # while connecting, waiting, in mid-answer, and about its end
        await asyncio.gather(*(cancelled(moments.uniform(0, 0.05)) for _ in range(10)))
    await rig.until_idle()
    assert (await rig.hear())[-1].text
    for listener in rig.listeners:
        await listener.close()
    await rig.until_idle()
    await until_no_more_than(before, connections=10)


async def test_fifty_milliseconds_are_no_trouble(rig: Rig) -> None:
    heard = await rig.hear(passage(0.05))
    assert not heard[-1].partial


async def test_an_hour_is_refused_before_it_is_sent(rig: Rig) -> None:
    for wrong in (hour(), nothing()):
        with pytest.raises(UpstreamFailure) as refused:
            await rig.hear(wrong)
        assert refused.value.code == "invalid_audio"
    await rig.until_idle()


async def test_a_language_that_it_lacks_is_said(rig: Rig) -> None:
    if rig.name.endswith("gemini"):
        pytest.skip("it is told the language in words, and refuses none")
    with pytest.raises(UpstreamFailure) as refused:
        await rig.hear(replace(rig.passage, language=UNSPOKEN))
    assert refused.value.code == "unsupported_language"


async def test_questions_side_by_side_are_all_answered(rig: Rig) -> None:
    listener = rig.listen()

    async def answer(seconds: float) -> str:
        asked = rig.question(passage(seconds) if rig.server is not None else None)
        return await _last(listener.hear(asked))

    assert all(await asyncio.gather(*(answer(seconds) for seconds in (0.5, 0.7, 0.9, 1.1, 1.3))))


async def test_what_is_only_shown_is_answered_too(rig: Rig) -> None:
    heard = await rig.hear(urgency=Urgency.PARTIAL)
    assert heard[-1].text
    assert not heard[-1].partial


async def _last(answer: AsyncGenerator[Recognition, None]) -> str:
    text = ""
    async with aclosing(answer) as heard:
        async for recognition in heard:
            text = recognition.text
    return text
