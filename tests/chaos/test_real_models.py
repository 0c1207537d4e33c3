"""Workers with the default models are killed in a call: the same words, and a whole answer."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable

import jiwer
import numpy as np
import pytest
import pytest_asyncio
import soxr

from dialtone.audio import Pcm16
from dialtone.models import ModelMissing, default_names, locate
from tests.chaos.caller import FRAME_S, Turn, calling
from tests.chaos.faults import Fault, kill
from tests.chaos.machines import Stack, running_stack
from tests.chaos.tap import Phase, Tap, tapping
from tests.chaos.words import RATE
from tests.fixtures.speech import recording

QUESTION = "en_weather_question"
ANSWER_S = 90.0
PHASE_S = 60.0
EXACT_S = 0.01
BEGUN_AGAIN = re.compile(r"[a-z][.,!?]?[A-Z]")  # "The weather inThe weather in Paris is fine."
FAULTS = (
    Fault("killed", Phase.LISTENING, kill, "asr", 0.5),
    Fault("killed", Phase.RECOGNISING, kill, "asr"),
    Fault("killed", Phase.THINKING, kill, "llm"),
    Fault("killed", Phase.ANSWERING, kill, "llm", 0.2),
    Fault("killed", Phase.SPEAKING, kill, "tts"),
)
pytestmark = [
    *(pytest.mark.models, pytest.mark.chaos, pytest.mark.timeout(600)),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    try:
        for name in default_names():
            locate(name)
    except ModelMissing as missing:
        pytest.skip(str(missing))
    async with running_stack(tmp_path_factory.mktemp("real"), real=True) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tap(stack: Stack) -> AsyncIterator[Tap]:
    with tapping(stack.gateway.network) as listening:
        yield listening


@pytest.fixture(scope="module")
def transcribe() -> Callable[[Pcm16], str]:
    from faster_whisper import WhisperModel

    model = WhisperModel(
        str(locate("whisper-base")), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True
    )

    def heard(samples: Pcm16) -> str:
        audio = soxr.resample(samples.astype(np.float32) / 32768, RATE, 16_000)
        segments, _ = model.transcribe(audio, language="en", beam_size=1, temperature=0.0)
        return " ".join(segment.text for segment in segments)

    return heard


def plain(text: str) -> str:
    """Words as they sound: a sign that is written on one side is spoken and written out on the other."""
    text = text.lower().replace("°c", " degrees celsius").replace("°f", " degrees fahrenheit")
    return re.sub(r"[^a-z0-9 ]", "", text.replace("-", " ")).strip()


def question() -> list[bytes]:
    """The recording as a microphone gives it: 20 ms of pcm16 at 24 kHz at a time."""
    samples = soxr.resample(recording(QUESTION).samples(), 16_000, RATE).astype("<i2")
    size = round(FRAME_S * RATE)
    return [samples[at : at + size].tobytes() for at in range(0, len(samples) - size, size)]


async def asked(stack: Stack, tap: Tap, fault: Fault | None) -> Turn:
    """A call with one question, in which this happens."""
    turn = Turn(recording(QUESTION).transcript.split())
    async with calling(stack.gateway_url, seed=1) as caller:
        moment = tap.expect(fault.phase) if fault else None
        saying = asyncio.create_task(caller.say(turn, question(), answer_s=ANSWER_S))
        if fault and moment:
            async with asyncio.timeout(PHASE_S):
                await moment
            hit = await fault.strike(stack, tap, moment.result(), random.Random(1))
            assert moment.result().call_id in hit
        await saying
    await stack.heal()
    return turn


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed(stack: Stack, tap: Tap) -> Turn:
    return await asked(stack, tap, None)


def assert_whole(turn: Turn, transcribe: Callable[[Pcm16], str]) -> None:
    """One answer, complete, no sentence of it twice, and what is heard of it is what is written."""
    assert turn.errors == []
    assert list(turn.statuses.values()) == [["completed"]]
    (text,) = turn.answers.values()
    assert text.rstrip()[-1] in ".!?", text
    assert not BEGUN_AGAIN.search(text), text
    sentences = Counter(plain(sentence) for sentence in re.split(r"(?<=[.!?])\s", text) if plain(sentence))
    assert max(sentences.values()) == 1, text
    heard = transcribe(np.frombuffer(turn.sound, dtype="<i2").astype(np.int16))
    assert jiwer.cer(plain(text), plain(heard)) < 0.25, (text, heard)


async def test_without_a_fault(undisturbed: Turn, transcribe: Callable[[Pcm16], str]) -> None:
    assert plain(" ".join(undisturbed.recognised)) == recording(QUESTION).transcript
    assert_whole(undisturbed, transcribe)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_killed_worker_costs_no_word_and_no_sentence(
    stack: Stack, tap: Tap, undisturbed: Turn, transcribe: Callable[[Pcm16], str], fault: Fault
) -> None:
    spoken_us = tap.spoken_us
    turn = await asked(stack, tap, fault)
    spoken_us = tap.spoken_us - spoken_us
    # No moment of a sentence twice: what is said of it first is said by two.
    assert len(turn.sound) / 2 / RATE == pytest.approx(spoken_us / 1e6, abs=EXACT_S)
    assert [plain(words) for words in turn.recognised] == [plain(words) for words in undisturbed.recognised]
    assert_whole(turn, transcribe)
