"""Whole calls that vendors recognise: who names the wrong one is told, and the call goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest

from dialtone.bus import Handler, Stage
from dialtone.llm.handler import TurnHandler
from dialtone.llm.service import make_registry
from dialtone.llm.settings import LlmSettings
from dialtone.tts.engines.simulated import SimulatedEngine
from dialtone.tts.settings import TtsSettings
from dialtone.tts.speaker import Speaker
from dialtone.tts.voices import EVERY_LANGUAGE, Voice, VoiceRegistry
from dialtone.vad_asr.asr.kinds import new_backend
from dialtone.vad_asr.asr.registry import AsrRegistry, lines_of
from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.transcriber import BackendTranscriber
from dialtone.vad_asr.vad.level import LevelGate
from tests.fixtures.gateway import Gateway
from tests.fixtures.speech import voice_like
from tests.integration.caller import Caller, calling
from tests.integration.workers import worker
from tests.vad_asr.backends.deepgram_server import DeepgramServer
from tests.vad_asr.backends.http_server import OpenAiServer
from tests.vad_asr.backends.scenes import API_KEY, MODEL, UNSPOKEN, Scene

_VOICE = voice_like(1.5).repeat(3)[::2].tobytes()  # at 24 kHz
_SERVER_VAD = {"type": "server_vad", "silence_duration_ms": 300}


@pytest.fixture
async def deepgram() -> AsyncIterator[DeepgramServer]:
    server = DeepgramServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def openai() -> Any:
    server = OpenAiServer()
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def _stages(gateway: Gateway, deepgram: DeepgramServer, openai: OpenAiServer) -> AsyncIterator[None]:
    """Ears that vendors recognise for, and simulated answers and voices."""
    entries: dict[str, Any] = {
        "deepgram": {"backend": "deepgram", "base_url": deepgram.url, "api_key": API_KEY, "model": MODEL},
        "openai": {"backend": "openai", "base_url": openai.url, "api_key": API_KEY, "model": MODEL},
        "both": ["deepgram", "openai"],
    }
    entries["wrong-key"] = {**entries["openai"], "api_key": "sk-wrong-0123456789"}
    entries["wrong-name"] = {**entries["deepgram"], "model": "no-such-model"}
    settings = EarsSettings(asr_models=json.dumps(entries), asr_default_model="both")
    registry = AsrRegistry(*lines_of(settings), lambda entry: new_backend(entry, None))
    ears = Ears(settings, LevelGate, partial(BackendTranscriber, registry), registry.close)
    models = make_registry(LlmSettings(stages="simulated"))
    voice = Voice("voice", EVERY_LANGUAGE, SimulatedEngine(), any_script=True)
    speaker = Speaker(VoiceRegistry({"voice": voice}, {}), TtsSettings())
    stages: dict[Stage, Handler] = {
        Stage.ASR: ears.handle,
        Stage.LLM: TurnHandler(models),
        Stage.TTS: speaker.handle,
    }
    async with AsyncExitStack() as held:
        held.push_async_callback(ears.close)
        held.push_async_callback(models.close)
        for stage, handler in stages.items():
            await held.enter_async_context(worker(gateway, stage, handler))
        yield


async def _use(caller: Caller, turn_detection: Any = None, **transcription: str) -> None:
    session = {
        "type": "realtime",
        "audio": {"input": {"turn_detection": turn_detection, "transcription": transcription}},
        "dialtone": {"turn_metrics": True},
    }
    await caller.connection.send({"type": "session.update", "session": session})  # type: ignore[arg-type]  # ours
    await caller.until("session.updated")


async def _say(caller: Caller) -> None:
    await caller.send_audio(_VOICE)
    await caller.connection.input_audio_buffer.commit()


async def _failure(caller: Caller) -> tuple[str, str]:
    await _say(caller)
    failed = await caller.until("conversation.item.input_audio_transcription.failed")
    return failed.error.code, failed.error.message


async def _words(caller: Caller) -> str:
    await _say(caller)
    done = await caller.until("conversation.item.input_audio_transcription.completed")
    return str(done.transcript)


async def _recognised_by(caller: Caller) -> str:
    """Say something and then nothing, and be answered."""
    await caller.send_audio(_VOICE + bytes(len(_VOICE)))
    told = await caller.until("dialtone.turn.metrics")
    return str(told.backends["asr"])


async def test_who_names_the_wrong_recogniser_is_told_and_the_call_goes_on(
    open_gateway: Gateway, deepgram: DeepgramServer, openai: OpenAiServer
) -> None:
    async with _stages(open_gateway, deepgram, openai), calling(open_gateway.url) as caller:
        await _use(caller, model="no-such-thing")
        code, message = await _failure(caller)
        assert code == "model_not_found"
        assert "'no-such-thing' (input_audio_transcription.model)" in message
        await _use(caller, model="wrong-key")
        code, message = await _failure(caller)
        assert (code, message) == ("invalid_api_key", "openai: the server answered HTTP 401 (api_key)")
        await _use(caller, model="wrong-name")
        code, message = await _failure(caller)
        assert (code, message) == ("model_not_found", "deepgram: the server answered HTTP 400 (model)")
        await _use(caller, model="openai", language=UNSPOKEN)
        code, message = await _failure(caller)
        assert (code, message) == ("unsupported_language", "openai: the server answered HTTP 400 (language)")
        openai.script.extend([Scene(raw=(b"<html>", "text/html"))])
        await _use(caller, model="openai", language="en")
        code, message = await _failure(caller)
        assert (code, message) == ("bad_upstream", "openai: answered text/html instead of JSON (base_url)")
        assert await _words(caller) == "Hello there."


async def test_a_turn_says_who_recognised_it(
    open_gateway: Gateway, deepgram: DeepgramServer, openai: OpenAiServer
) -> None:
    async with _stages(open_gateway, deepgram, openai), calling(open_gateway.url) as caller:
        # Nobody serves that name: it means the default, which is the list.
        await _use(caller, turn_detection=_SERVER_VAD, model="gpt-4o-transcribe")
        assert await _recognised_by(caller) == "deepgram"
        deepgram.hang_up()
        deepgram.refusals.extend([Scene(status=503)] * 2)
        assert await _recognised_by(caller) == "openai"
        completed = caller.of("conversation.item.input_audio_transcription.completed")
        assert [done.transcript for done in completed] == ["Hello there."] * 2
