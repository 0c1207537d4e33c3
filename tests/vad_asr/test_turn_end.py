"""Semantic turn detection: how long a pause lasts, by the words before it and the eagerness."""

import asyncio

import numpy as np
import pytest

from dialtone.v1.ears_pb2 import EarsConfig, TurnDetection
from dialtone.vad_asr.asr.pool import InferencePool
from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.turn_end import TurnEnd, sounds
from tests.contract.bus.call_side import until
from tests.fixtures.speech import silence, voice_like
from tests.vad_asr.conftest import ScriptedRecognizer
from tests.vad_asr.ears_call import EarsCall, audible, server_vad

DONE, UNSURE, GOES_ON = TurnEnd.FINISHED, TurnEnd.UNSURE, TurnEnd.UNFINISHED
LOW, MEDIUM, HIGH = (
    TurnDetection.EAGERNESS_LOW,
    TurnDetection.EAGERNESS_MEDIUM,
    TurnDetection.EAGERNESS_HIGH,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is the weather in Paris?", DONE),
        ("Go forward 10 meters.", DONE),
        ("Stop!", DONE),
        ('He said "no."', DONE),
        ("What are you thinking of?", DONE),
        ("What is that?", DONE),
        ("你好世界。", DONE),
        ("今天天气怎么样？", DONE),
        ("Seven of clubs", UNSURE),
        ("1234567890", UNSURE),
        ("雜誌", UNSURE),
        ("", UNSURE),
        ("...", GOES_ON),
        ("I would like a table for two,", GOES_ON),
        ("He might have...", GOES_ON),
        ("I want to book a flight to…", GOES_ON),
        ("Let me see -", GOES_ON),
        ("I would like to go to the", GOES_ON),
        ("I would like to go to the.", GOES_ON),
        ("Tea and", GOES_ON),
        ("Um.", GOES_ON),
        ("我想去北京，", GOES_ON),
        ("我想去北京然后", GOES_ON),
        ("因为。", GOES_ON),
    ],
)
def test_words_sound_finished_or_not(text: str, expected: TurnEnd) -> None:
    assert sounds(text) is expected


def semantic(eagerness: TurnDetection.Eagerness) -> EarsConfig:
    config = server_vad(0, candidate_pause_ms=200)
    config.turn_detection.mode = TurnDetection.MODE_SEMANTIC_VAD
    config.turn_detection.eagerness = eagerness
    return config


async def say_in_real_order(call: EarsCall, pool: InferencePool, samples: np.ndarray) -> None:
    """Each frame is heard, and what it asks for is answered, before the next one comes."""
    for at in range(0, len(samples), 320):
        call.say(samples[at : at + 320])
        await call.lease_idle()
        await until(lambda: pool.idle, "an idle pool")
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("eagerness", "text", "silence_ms"),
    [
        (LOW, "That is all.", 1000),
        (LOW, "And then,", 8000),
        (MEDIUM, "That is all.", 600),
        (MEDIUM, "Seven of clubs", 1500),
        (MEDIUM, "And then,", 4000),
        (HIGH, "That is all.", 400),
        (HIGH, "And then,", 2000),
    ],
)
async def test_a_pause_lasts_as_long_as_its_words_ask_for(
    scripted_ears: Ears,
    pool: InferencePool,
    recognizer: ScriptedRecognizer,
    eagerness: TurnDetection.Eagerness,
    text: str,
    silence_ms: int,
) -> None:
    recognizer.text = text
    call = EarsCall(semantic(eagerness)).start(scripted_ears.handle)
    samples = np.concatenate([silence(0.5), voice_like(1.0), silence(silence_ms / 1000 + 0.5)])
    await say_in_real_order(call, pool, samples)
    await call.finish()
    _, last_ms = audible(samples)
    assert 0 <= call.stopped[0].audio_end_us / 1000 - last_ms - silence_ms <= 50
    assert [t.text for t in call.transcripts()] == [text]
    assert len(recognizer.batches) == 1


async def test_somebody_who_goes_on_is_judged_anew(
    scripted_ears: Ears, pool: InferencePool, recognizer: ScriptedRecognizer
) -> None:
    call = EarsCall(semantic(MEDIUM)).start(scripted_ears.handle)
    recognizer.text = "I would like to"
    await say_in_real_order(call, pool, np.concatenate([silence(0.5), voice_like(1.0), silence(1.8)]))
    assert call.stopped == []
    recognizer.text = "I would like to go home."
    await say_in_real_order(call, pool, np.concatenate([voice_like(1.0), silence(1.0)]))
    await call.finish()
    assert [t.text for t in call.transcripts()] == ["I would like to go home."]
    assert call.stopped[0].audio_end_us - call.stopped[0].speech_end_us <= 650_000


async def test_server_vad_does_not_care_what_is_said(
    scripted_ears: Ears, pool: InferencePool, recognizer: ScriptedRecognizer
) -> None:
    recognizer.text = "And then,"
    call = EarsCall(server_vad(500)).start(scripted_ears.handle)
    await say_in_real_order(call, pool, np.concatenate([silence(0.5), voice_like(1.0), silence(1.0)]))
    await call.finish()
    assert call.stopped[0].audio_end_us - call.stopped[0].speech_end_us <= 550_000
