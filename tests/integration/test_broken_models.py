"""Models break under a call: its client is told, hears what was good, and the next turn is answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect

from dialtone.audio import Float32
from dialtone.bus import Stage
from dialtone.llm.handler import TurnHandler
from dialtone.llm.service import make_registry
from dialtone.llm.settings import LlmSettings
from dialtone.tts.engines.simulated import SimulatedEngine
from dialtone.tts.settings import TtsSettings
from dialtone.tts.speaker import Speaker
from dialtone.tts.voices import EVERY_LANGUAGE, Voice, VoiceRegistry
from tests.fixtures.chat_answers import openai_chunk
from tests.fixtures.chat_server import API_KEY, ChatServer, Cut, Reply, sse
from tests.fixtures.gateway import Gateway
from tests.integration.caller import Caller, calling
from tests.integration.workers import worker
from tests.tts.test_broken_voices import BrokenEngine

_GONE_S = 5.0  # which is a second on a machine that has nothing else to do
_QUICK = {"first_token_s": 2.0, "inter_token_s": 2.0, "breaker_failures": 100}
_WELL = "You said something, and this is the answer."
_BROKEN = "This sentence breaks it."
_SENTENCES = ["The first one.", _BROKEN, "The third one.", "The fourth one."]
_END = b"data: [DONE]\n\n"


def _text(*words: str) -> list[bytes | float | type[Cut]]:
    return [sse(openai_chunk({"content": word})) for word in words]


@asynccontextmanager
async def _workers(
    gateway: Gateway, chat_server: ChatServer, engine: SimulatedEngine | None = None
) -> AsyncIterator[None]:
    """The stages behind a model's server and a voice."""
    entry = {
        "backend": "openai",
        "base_url": chat_server.url,
        "api_key": API_KEY,
        "model": "m",
        "limits": _QUICK,
    }
    settings = LlmSettings.model_validate(
        {"llm_models": json.dumps({"chat": entry}), "llm_default_model": "chat"}
    )
    registry = make_registry(settings)
    voice = Voice("voice", EVERY_LANGUAGE, engine or SimulatedEngine(), any_script=True)
    speaker = Speaker(VoiceRegistry({"voice": voice}, {}), TtsSettings(tts_block_timeout_s=0.5))
    async with AsyncExitStack() as held:
        held.push_async_callback(registry.close)
        for stage, handler in ((Stage.LLM, TurnHandler(registry)), (Stage.TTS, speaker.handle)):
            await held.enter_async_context(worker(gateway, stage, handler))
        yield


async def _ask(caller: Caller) -> None:
    await caller.connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
    )
    await caller.connection.response.create()


async def _answered(caller: Caller) -> Any:
    """Ask, and return the response as it ended."""
    await _ask(caller)
    return (await caller.until("response.done")).response


async def _well(caller: Caller) -> None:
    """The session is usable for the next turn."""
    caller.events.clear()
    response = await _answered(caller)
    assert response.status == "completed", response.status_details
    assert response.output[-1].content[0].transcript == _WELL
    assert caller.audio()


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Reply([8.0]), "failed", "timeout"),
        (Reply([*_text("Hello there. "), 30.0]), "failed", "timeout"),
        (Reply([b": still here\n\n"], forever=True), "failed", "timeout"),
        (Reply([b"<html>"], content_type="text/html"), "failed", "bad_upstream"),
        (Reply([b"{}"], 401, "application/json"), "failed", "invalid_api_key"),
        (Reply([b"{}"], 429, "application/json", {"retry-after": "30"}), "failed", "rate_limited"),
        (Reply(_text("Hello there. ")), "incomplete", None),
        (Reply([*_text("Hello there. "), b'data: {"choices": [{"de']), "incomplete", None),
        (Reply([*_text("Hello", "\x00 there. "), b"data: " + b"x" * 10_000_000]), "incomplete", None),
    ],
    ids=["no token", "stall", "comments", "html", "401", "429", "no end", "truncated", "10 MB line"],
)
async def test_a_broken_answer_is_told_and_the_next_turn_is_answered(
    open_gateway: Gateway, chat_server: ChatServer, reply: Reply, status: str, code: str | None
) -> None:
    chat_server.script.append(reply)
    async with _workers(open_gateway, chat_server), calling(open_gateway.url) as caller:
        start = time.monotonic()
        response = await _answered(caller)
        assert time.monotonic() - start < 6
        assert response.status == status
        if code:
            assert response.status_details.error.code == code
        else:
            assert response.output[-1].content[0].transcript.strip() == "Hello there."
            assert caller.audio()
        await chat_server.until_idle(0.5)
        await _well(caller)
        assert len(chat_server.seen) == 2


async def test_a_server_that_cuts_every_answer_is_asked_four_times_in_all(
    open_gateway: Gateway, chat_server: ChatServer
) -> None:
    chat_server.script += [Reply([sse(openai_chunk({"content": ""})), Cut])] * 4
    async with _workers(open_gateway, chat_server), calling(open_gateway.url) as caller:
        response = await _answered(caller)
        assert (response.status, response.status_details.error.code) == ("failed", "upstream_cut")
        assert len(chat_server.seen) == 4
        await _well(caller)


@pytest.mark.parametrize("parts", [[30.0], [*_text("Hello there. "), 30.0]], ids=["thinking", "answering"])
async def test_who_interrupts_a_model_that_is_waited_for_is_heard_at_once(
    open_gateway: Gateway, chat_server: ChatServer, parts: Sequence[bytes | float | type[Cut]]
) -> None:
    chat_server.script.append(Reply(parts))
    async with _workers(open_gateway, chat_server), calling(open_gateway.url) as caller:
        await _ask(caller)
        await chat_server.until(lambda: bool(chat_server.streaming), 5)
        start = time.monotonic()
        await caller.connection.response.cancel()
        assert (await caller.until("response.done")).response.status == "cancelled"
        assert time.monotonic() - start < 0.5
        await chat_server.until_idle(0.5)
        await _well(caller)


async def test_when_the_client_is_gone_its_answer_is_not_streamed_on(
    open_gateway: Gateway, chat_server: ChatServer
) -> None:
    chat_server.script.append(Reply([*_text("La "), 0.3] * 100))  # half a minute
    asked = {"type": "response.create", "response": {"output_modalities": ["text"]}}
    async with _workers(open_gateway, chat_server):
        socket = await connect(f"{open_gateway.socket_url}/v1/realtime?model=default", compression=None)
        await socket.send(json.dumps(asked))
        await chat_server.until(lambda: bool(chat_server.streaming), 5)
        while json.loads(await socket.recv())["type"] != "response.output_text.delta":
            pass
        socket.transport.abort()
        await chat_server.until_idle(_GONE_S)


async def _raises() -> AsyncGenerator[Float32, None]:
    raise KeyError("ə")
    yield np.zeros(1, dtype=np.float32)


async def _hangs() -> AsyncGenerator[Float32, None]:
    await asyncio.sleep(3600)
    yield np.zeros(1, dtype=np.float32)


@pytest.mark.parametrize("misdeed", [_raises, _hangs], ids=["raises", "hangs"])
async def test_a_sentence_without_sound_is_told_of_and_the_others_are_heard_in_order(
    open_gateway: Gateway, chat_server: ChatServer, misdeed: Any
) -> None:
    words = [f"{word} " for word in " ".join(_SENTENCES).split(" ")]
    chat_server.script.append(Reply([*_text(*words), sse(openai_chunk({}, "stop")), _END]))
    engine = BrokenEngine(misdeed, good=0)
    async with _workers(open_gateway, chat_server, engine), calling(open_gateway.url) as caller:
        await _ask(caller)
        response = (await caller.until("response.done")).response
        assert response.status == "completed"
        assert response.output[0].content[0].transcript.split() == " ".join(_SENTENCES).split()
        spoken = sum(len(text) for text in _SENTENCES if text != _BROKEN)
        assert len(caller.audio()) == spoken * 60 * 24 * 2  # 60 ms a character, 24 samples a ms
        [error] = caller.of("error")
        assert error.error.code == "synthesis_failed"
        await _well(caller)
