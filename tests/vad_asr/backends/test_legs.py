"""Ears whose words come from a vendor: turns are found as with any, and a call lets go of what it held."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial

import numpy as np
import pytest

from dialtone.v1.ears_pb2 import EarsConfig, Transcript, Transcription
from dialtone.vad_asr.asr.kinds import new_backend
from dialtone.vad_asr.asr.registry import AsrRegistry, lines_of
from dialtone.vad_asr.service import Ears, load_ears
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.transcriber import BackendTranscriber
from dialtone.vad_asr.vad.level import LevelGate
from tests.fixtures.speech import Samples, recording, silence, voice_like
from tests.vad_asr.backends.conftest import until
from tests.vad_asr.backends.deepgram_server import DeepgramServer
from tests.vad_asr.backends.http_server import HttpServer
from tests.vad_asr.backends.scenes import API_KEY, MODEL, Scene
from tests.vad_asr.ears_call import EarsCall, server_vad


@pytest.fixture
async def ears(http_servers: dict[str, HttpServer], deepgram_server: DeepgramServer) -> AsyncIterator[Ears]:
    """Deepgram by default, OpenAI by name."""
    for server in http_servers.values():
        server.reset()
    servers = {"deepgram": deepgram_server.url, "openai": http_servers["openai"].url}
    entries = {
        name: {"backend": name, "base_url": url, "api_key": API_KEY, "model": MODEL}
        for name, url in servers.items()
    }
    settings = EarsSettings(asr_models=json.dumps(entries), asr_default_model="deepgram")
    registry = AsrRegistry(*lines_of(settings), lambda entry: new_backend(entry, None))
    made = Ears(settings, LevelGate, partial(BackendTranscriber, registry), registry.close)
    yield made
    await made.close()


def _config(**transcription: object) -> EarsConfig:
    config = server_vad(300)
    config.transcription.CopyFrom(Transcription(**transcription))  # type: ignore[arg-type]  # as they are
    return config


async def _say_live(call: EarsCall, samples: Samples) -> None:
    """In real time, so that something is asked while it is said."""
    for at in range(0, len(samples), 1600):
        call.say(samples[at : at + 1600])
        await asyncio.sleep(0.1)


async def test_a_turn_goes_out_while_it_is_spoken_and_only_once(
    ears: Ears, deepgram_server: DeepgramServer
) -> None:
    call = EarsCall(_config(partials=True)).start(ears.handle)
    await _say_live(call, voice_like(2.0))
    assert deepgram_server.sent_s > 0.7
    assert call.transcripts(Transcript.KIND_PARTIAL)[0].text
    await _say_live(call, silence(0.6))
    await call.until(call.transcripts)
    await call.finish()
    (final,) = call.transcripts()
    assert (final.text, final.backend) == ("Hello there.", "deepgram")
    assert deepgram_server.sent_s < 2.6
    assert len(deepgram_server.queries) == 1
    await until(lambda: deepgram_server.open == 0)
    assert deepgram_server.closed_streams == 1


async def test_the_words_of_a_final_are_shown_as_they_come(
    ears: Ears, http_servers: dict[str, HttpServer]
) -> None:
    http_servers["openai"].script.append(Scene(pace_s=0.1))
    config = _config(model="openai", partials=True)
    config.turn_detection.mode = config.turn_detection.MODE_MANUAL
    call = EarsCall(config).start(ears.handle)
    call.say(voice_like(1.0))
    call.put(commit={"utterance": 1})
    await call.until(call.transcripts)
    await call.finish()
    shown = [partial.text for partial in call.transcripts(Transcript.KIND_PARTIAL)]
    assert shown == ["Hello", "Hello there."]
    assert call.transcripts()[0].text == "Hello there."


async def test_a_call_that_ends_in_mid_answer_holds_nothing(
    ears: Ears, deepgram_server: DeepgramServer
) -> None:
    deepgram_server.script.append(Scene(silent=True))
    call = EarsCall(_config()).start(ears.handle)
    call.say(np.concatenate([voice_like(1.0), silence(0.6)]))
    await until(lambda: deepgram_server.sent_s > 0.9)
    await call.cancel()
    await until(lambda: deepgram_server.open == 0)


async def test_a_session_changes_who_recognises_in_mid_call(
    ears: Ears, http_servers: dict[str, HttpServer]
) -> None:
    http_servers["openai"].script.append(Scene(words=("By", " OpenAI.")))
    call = EarsCall(_config()).start(ears.handle)
    call.say(np.concatenate([voice_like(1.0), silence(0.6)]))
    await call.until(call.transcripts)
    call.put(config=_config(model="openai", language="en"))
    call.say(np.concatenate([voice_like(1.0), silence(0.6)]))
    await call.until(lambda: len(call.transcripts()) == 2)
    await call.finish()
    assert [final.backend for final in call.transcripts()] == ["deepgram", "openai"]
    assert call.transcripts()[1].text == "By OpenAI."


async def test_minutes_of_speech_go_out_in_passages(ears: Ears, http_servers: dict[str, HttpServer]) -> None:
    call = EarsCall(_config(model="openai")).start(ears.handle)
    call.say(np.concatenate([voice_like(65.0), silence(0.6)]), frame=3200)
    await call.finish()
    (final,) = call.transcripts()
    asked = http_servers["openai"].asked
    assert final.text == " ".join(["Hello there."] * len(asked))
    assert max(question.seconds for question in asked) <= 20.0
    assert sum(question.seconds for question in asked) < 80


@pytest.mark.models
async def test_the_local_model_answers_where_the_vendor_is_away() -> None:
    spoken = recording("en_weather_question").samples()
    settings = EarsSettings.model_validate(
        {
            "deepgram_api_key": API_KEY,
            "deepgram_base_url": "ws://127.0.0.1:9/v1",
            "asr_default_model": "deepgram,whisper",
        }
    )
    ears = await load_ears(settings)
    try:
        call = EarsCall(_config()).start(ears.handle)
        call.say(np.concatenate([spoken, silence(0.8)]))
        await call.until(call.transcripts)
        await call.finish()
    finally:
        await ears.close()
    (final,) = call.transcripts()
    assert "weather" in final.text.lower()
    assert final.backend == "whisper"
