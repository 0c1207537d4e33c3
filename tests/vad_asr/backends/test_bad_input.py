"""Ears whose vendor is asked for what it cannot do: the turn says who and what, and the call goes on."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dialtone.v1.ears_pb2 import EarsConfig
from dialtone.vad_asr.asr.kinds import new_backend
from dialtone.vad_asr.asr.registry import AsrRegistry, lines_of
from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.transcriber import BackendTranscriber
from dialtone.vad_asr.vad.level import LevelGate
from tests.fixtures.speech import silence, voice_like
from tests.vad_asr.backends.conftest import until
from tests.vad_asr.backends.deepgram_server import DeepgramServer
from tests.vad_asr.backends.http_server import HttpServer
from tests.vad_asr.backends.scenes import API_KEY, MODEL, UNSPOKEN, Scene
from tests.vad_asr.ears_call import EarsCall, manual, server_vad

_PAGE = Scene(raw=(b"<html>no such thing here</html>", "text/html"))
_ANOTHER_API = Scene(raw=(b'{"id": "cmpl-1", "object": "text_completion"}', "application/json"))
_MANUAL_S = 120

Server = HttpServer | DeepgramServer
MakeEars = Callable[..., tuple[Ears, Server]]


@pytest.fixture
async def make_ears(
    http_servers: dict[str, HttpServer], deepgram_server: DeepgramServer
) -> AsyncIterator[MakeEars]:
    """Ears with two names for a vendor: `well`, and the default one with fields of its own."""
    made: list[Ears] = []

    def make(vendor: str, **fields: Any) -> tuple[Ears, Server]:
        server: Server = deepgram_server if vendor == "deepgram" else http_servers[vendor]
        if isinstance(server, HttpServer):
            server.reset()
        well = {"backend": vendor, "base_url": server.url, "api_key": API_KEY, "model": MODEL}
        entries = json.dumps({"well": well, "asked": {**well, **fields}})
        settings = EarsSettings(asr_models=entries, asr_default_model="asked", manual_buffer_s=_MANUAL_S)
        registry = AsrRegistry(*lines_of(settings), lambda entry: new_backend(entry, None))
        made.append(Ears(settings, LevelGate, partial(BackendTranscriber, registry), registry.close))
        return made[-1], server

    yield make
    for ears in made:
        await ears.close()


def _config(model: str = "", language: str = "") -> EarsConfig:
    config = server_vad(300)
    config.transcription.model, config.transcription.language = model, language
    return config


@pytest.mark.parametrize(
    ("fields", "language", "scene", "code", "field"),
    [
        ({"api_key": "sk-wrong-0123456789"}, "", None, "invalid_api_key", "api_key"),
        ({"model": "no-such-model"}, "", None, "model_not_found", "model"),
        ({"languages": ["en"]}, "zh", None, "unsupported_language", "language"),
        ({}, UNSPOKEN, None, "unsupported_language", "language"),
        ({}, "", _PAGE, "bad_upstream", "base_url"),
        ({}, "", _ANOTHER_API, "bad_upstream", "base_url"),
        ({"base_url": "http://127.0.0.1:9/v1"}, "", None, "upstream_unreachable", "base_url"),
    ],
    ids=["key", "model", "language of the entry", "language", "page", "another API", "nobody there"],
)
async def test_a_turn_that_cannot_be_recognised_says_who_and_what(
    make_ears: MakeEars,
    vendor: str,
    fields: dict[str, Any],
    language: str,
    scene: Scene | None,
    code: str,
    field: str,
) -> None:
    if language == UNSPOKEN and vendor == "gemini":
        pytest.skip("it is told the language in words, and refuses none")
    ears, server = make_ears(vendor, **fields)
    if scene is not None:
        server.script.append(scene)
    call = EarsCall(_config(language=language)).start(ears.handle)
    turn = np.concatenate([voice_like(1.0), silence(0.6)])
    call.say(turn)
    await call.until(call.transcripts)
    call.put(config=_config(model="well", language="en"))
    call.say(turn)
    await call.until(lambda: len(call.transcripts()) == 2)
    await call.finish()
    failed, well = call.transcripts()
    assert failed.error.code == code
    assert failed.error.message.startswith(f"{vendor}: ")
    assert failed.error.message.endswith(f"({field})")
    assert "sk-wrong" not in failed.error.message
    assert (well.text, well.backend, well.error.code) == ("Hello there.", vendor, "")


async def test_a_turn_of_fifty_milliseconds_is_one(make_ears: MakeEars, vendor: str) -> None:
    ears, _ = make_ears(vendor)
    call = EarsCall(manual()).start(ears.handle)
    call.say(voice_like(0.05))
    call.put(commit={"utterance": 1})
    await call.until(call.transcripts)
    await call.finish()
    (final,) = call.transcripts()
    assert not final.error.code


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def test_an_hour_without_an_end_is_heard_in_bounded_memory(make_ears: MakeEars) -> None:
    ears, server = make_ears("openai")
    call = EarsCall(manual()).start(ears.handle)
    before_mib = _resident_mib()
    minute = voice_like(60.0)
    for _ in range(60):
        call.say(minute, frame=16_000)
        await call.lease_idle()
    assert _resident_mib() - before_mib < 60, "an hour is 110 MiB, what is kept of it 4"
    call.put(commit={"utterance": 1})
    await call.until(call.transcripts)
    await call.finish()
    (final,) = call.transcripts()
    assert not final.error.code
    lengths = [asked.seconds for asked in server.asked]
    assert max(lengths) <= 20.0
    assert _MANUAL_S - 30 < sum(lengths) < _MANUAL_S + 30
    assert final.text == " ".join(["Hello there."] * len(lengths))
    if isinstance(server, HttpServer):
        await until(lambda: not server.open)
