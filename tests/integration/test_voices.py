"""Whole calls that vendors speak in: names of voices, lists, and what cannot be spoken: it costs no call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from dialtone.bus import Stage
from dialtone.llm.handler import TurnHandler
from dialtone.llm.service import make_registry
from dialtone.llm.settings import LlmSettings
from dialtone.tts.loading import load
from dialtone.tts.settings import TtsSettings
from tests.fixtures.chat_answers import Answer
from tests.fixtures.chat_server import ChatServer
from tests.fixtures.gateway import Gateway
from tests.integration.caller import Caller, calling
from tests.integration.workers import worker
from tests.tts.backends.speech_server import API_KEY, MODEL, VOICE, Speech, SpeechServer

_DEEP = {"instructions": "Speak in a deep voice."}
_ANSWERED = {"llm": "openai", "model": "gpt-test"}


@pytest.fixture
def speech() -> Any:
    server = SpeechServer()
    server.start()
    yield server
    server.stop()


def _as_told(body: Mapping[str, Any]) -> Answer:
    """The model answers what the user says."""
    return Answer(body["messages"][-1]["content"], pace_s=0.0)


@asynccontextmanager
async def _stages(
    gateway: Gateway, chat: ChatServer, speech: SpeechServer, patch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    patch.setenv("SPEECH_KEY", API_KEY)
    patch.setenv("WRONG_KEY", "sk-wrong-0123456789")
    chat.rules.insert(0, _as_told)
    voice = {
        "engine": "openai", "model": MODEL, "voice": VOICE, "language": "*", "base_url": speech.url,
        "api_key_env": "SPEECH_KEY",
    }  # fmt: skip
    voices: dict[str, Any] = {
        "plain": voice,
        "deep": {**voice, "extra": _DEEP},
        "marin": ["deep"],
        "both": ["plain", "deep"],
        "wrong-key": {**voice, "api_key_env": "WRONG_KEY"},
        "wrong-voice": {**voice, "voice": "nobody"},
        "wrong-model": {**voice, "model": "nothing"},
    }
    models = make_registry(
        LlmSettings.model_validate({"llm_models": chat.as_a_model, "llm_default_model": "chat"})
    )
    loaded = await load(TtsSettings(tts_voices=voices, tts_espeak=""))
    async with AsyncExitStack() as held:
        held.push_async_callback(models.close)
        held.push_async_callback(loaded.close)
        await held.enter_async_context(worker(gateway, Stage.LLM, TurnHandler(models)))
        await held.enter_async_context(worker(gateway, Stage.TTS, loaded.handler))
        yield


@asynccontextmanager
async def _call(gateway: Gateway, **output: str) -> AsyncIterator[Caller]:
    """A call whose session has this output, and wants to know who did what."""
    async with calling(gateway.url) as caller:
        session: Any = {
            "type": "realtime",
            "audio": {"output": output},
            "dialtone": {"turn_metrics": True},
        }
        await caller.connection.send({"type": "session.update", "session": session})
        await caller.until("session.updated")
        yield caller


async def _answer(caller: Caller, text: str, voice: str = "") -> Any:
    """Have it answered with this text; return what is told of the turn."""
    caller.events.clear()
    await caller.connection.conversation.item.create(
        item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    )
    await caller.connection.response.create(response={"audio": {"output": {"voice": voice}}} if voice else {})
    told = await caller.until("dialtone.turn.metrics")
    (done,) = caller.of("response.done")
    assert done.response.status == "completed", done.response.status_details
    assert done.response.output[0].content[0].transcript == text, "what is not heard can be read"
    return told


@pytest.mark.parametrize(
    ("named", "spoken_by"),
    [("alloy", "plain"), ("marin", "deep"), ("deep", "deep"), ("cedar", "plain")],
)
async def test_a_voice_of_openais_is_the_one_that_is_configured_for_it(
    open_gateway: Gateway,
    chat_server: ChatServer,
    speech: SpeechServer,
    monkeypatch: pytest.MonkeyPatch,
    named: str,
    spoken_by: str,
) -> None:
    async with (
        _stages(open_gateway, chat_server, speech, monkeypatch),
        _call(open_gateway, voice=named) as caller,
    ):
        told = await _answer(caller, "Hello there.")
        assert told.backends == {**_ANSWERED, "tts": "openai", "voice": spoken_by}
        assert told.notices == []
        (body,) = speech.bodies
        assert (body.get("instructions") == _DEEP["instructions"]) == (spoken_by == "deep")
        assert caller.audio()


async def test_where_the_first_of_a_list_fails_the_turn_says_who_spoke(
    open_gateway: Gateway,
    chat_server: ChatServer,
    speech: SpeechServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        _stages(open_gateway, chat_server, speech, monkeypatch),
        _call(open_gateway, voice="both") as caller,
    ):
        assert (await _answer(caller, "Hello there.")).backends["voice"] == "plain"
        speech.speeches.append(Speech(status=500))
        told = await _answer(caller, "Hello there.")
        assert told.backends == {**_ANSWERED, "tts": "openai", "voice": "deep"}
        assert caller.of("error") == []
        assert caller.audio()


async def test_what_cannot_be_spoken_is_told_and_the_call_goes_on(
    open_gateway: Gateway,
    chat_server: ChatServer,
    speech: SpeechServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        _stages(open_gateway, chat_server, speech, monkeypatch),
        _call(open_gateway, voice="plain") as caller,
    ):

        async def failure(voice: str, text: str = "Hello there.") -> tuple[str, str]:
            await _answer(caller, text, voice)
            (error,) = caller.of("error")
            assert caller.audio() == b""
            return error.error.code, error.error.message.partition("could not be spoken: ")[2]

        http = "openai: the server answered HTTP"
        assert await failure("wrong-key") == ("invalid_api_key", f"{http} 401 (api_key)")
        assert await failure("wrong-voice") == ("invalid_voice", f"{http} 400 (voice)")
        assert await failure("wrong-model") == ("model_not_found", f"{http} 404 (model)")
        for speech_of_another_format, what in (
            (
                Speech(parts=[b'{"error": null}'], kind="application/json"),
                "application/json instead of audio",
            ),
            (Speech(parts=[b"\xff\xfb\x90\x64" + bytes(400)]), "MP3 instead of PCM"),
            (Speech(parts=[b"RIFF\x24\x08\x00\x00WAVEfmt "]), "WAV instead of PCM"),
        ):
            speech.speeches.append(speech_of_another_format)
            code, message = await failure("plain")
            assert code == "bad_upstream"
            assert message.startswith(f"openai: answered {what}")
            assert message.endswith("(base_url)")

        # Nothing to say, or a name that nobody has, is no failure.
        assert (await _answer(caller, "\N{GRINNING FACE}")).backends == _ANSWERED
        assert caller.of("error") == []
        told = await _answer(caller, "Hello there.", "nobody")
        assert told.notices == ["tts: no voice is called 'nobody', plain speaks (voice)"]
        told = await _answer(caller, "Hello there.")
        assert (told.backends, told.notices) == ({**_ANSWERED, "tts": "openai", "voice": "plain"}, [])
        assert caller.audio()


async def test_an_answer_of_twenty_thousand_characters_is_begun_and_can_be_stopped(
    open_gateway: Gateway,
    chat_server: ChatServer,
    speech: SpeechServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        _stages(open_gateway, chat_server, speech, monkeypatch),
        _call(open_gateway, voice="plain") as caller,
    ):
        for text in ("endless" * 2_858, "Words and words " * 1_250):
            await caller.connection.conversation.item.create(
                item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
            )
            await caller.connection.response.create()
            await caller.until("response.output_audio.delta")
            await caller.connection.response.cancel()
            assert (await caller.until("response.done")).response.status == "cancelled"
            await caller.until("dialtone.turn.metrics")
        assert max(len(body["input"]) for body in speech.bodies) < 2_000
        assert (await _answer(caller, "Hello there.")).backends["voice"] == "plain"
        assert caller.of("error") == []
