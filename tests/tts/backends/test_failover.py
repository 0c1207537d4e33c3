"""Voices by name: OpenAI's names for configured ones, and lists whose next speaks where one fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic import ValidationError

from dialtone.bus import WorkError
from dialtone.tts.loading import load
from dialtone.tts.settings import TtsSettings
from dialtone.tts.text.chinese import _grammar
from dialtone.worker import Loaded
from tests.tts.backends.speech_server import API_KEY, MODEL, RATE, VOICE, Speech, SpeechServer, tone
from tests.tts.leases import SentenceLease

_DOWN = Speech(status=500)


@pytest.fixture
def server(speech_servers: dict[str, SpeechServer], monkeypatch: pytest.MonkeyPatch) -> SpeechServer:
    monkeypatch.setenv("SPEECH_KEY", API_KEY)
    speech_servers["openai"].reset()
    return speech_servers["openai"]


def _voice(server: SpeechServer, **fields: Any) -> dict[str, Any]:
    return {
        "engine": "openai", "model": MODEL, "voice": VOICE, "language": "*", "base_url": server.url,
        "api_key_env": "SPEECH_KEY", **fields,
    }  # fmt: skip


@asynccontextmanager
async def _stage(**voices: Any) -> AsyncIterator[Loaded]:
    loaded = await load(TtsSettings(tts_voices=voices, tts_espeak=""))
    try:
        yield loaded
    finally:
        await loaded.close()


async def _say(stage: Loaded, name: str, text: str = "Hello there.") -> SentenceLease:
    lease = SentenceLease(text, name=name)
    await stage.handler(lease)
    return lease


def _passed_over() -> float:
    return REGISTRY.get_sample_value("dialtone_tts_passed_over_total", {"backend": "openai"}) or 0.0


async def test_openais_names_are_those_of_configured_voices(server: SpeechServer) -> None:
    async with _stage(
        plain=_voice(server), deep=_voice(server, extra={"instructions": "Deep."}), marin=["deep"]
    ) as stage:
        for name, spoken_by in (("marin", "deep"), ("alloy", "plain"), ("deep", "deep"), ("", "plain")):
            lease = await _say(stage, name)
            assert (lease.ended.voice, lease.ended.notice) == (spoken_by, "")
            assert ("instructions" in server.bodies[-1]) == (spoken_by == "deep")
        assert [offer.name for offer in stage.offers or ()] == ["plain", "deep", "marin"]


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("我用 iPhone 打电话。", "我用 iPhone 打电话。"),
        ("We say 你好 to them.", "We say 你好 to them."),
        ("It is $5.", "It is five dollars."),
    ],
)
async def test_every_language_is_spoken_by_a_voice_of_every_language(
    server: SpeechServer, text: str, sent: str
) -> None:
    async with _stage(plain=_voice(server)) as stage:
        await _say(stage, "plain", text)
        assert [body["input"] for body in server.bodies] == [sent]


async def test_a_voice_of_every_language_has_the_words_of_chinese_at_hand(server: SpeechServer) -> None:
    _grammar.cache_clear()
    async with _stage(plain=_voice(server)):
        assert _grammar.cache_info().currsize == 1, "it is not to be loaded in mid-call"


async def test_the_next_of_a_list_speaks_where_one_fails_before_its_first_audio(server: SpeechServer) -> None:
    second = _voice(server, sample_rate=RATE // 2)
    async with _stage(first=_voice(server), second=second, both=["first", "second"]) as stage:
        server.speeches.append(_DOWN)
        lease = await _say(stage, "both")
        assert lease.ended.voice == "second"
        assert lease.ended.duration_us == 1_000_000, "half a second, played at the second's rate"


async def test_a_voice_that_breaks_off_is_not_gone_on_with_by_another(server: SpeechServer) -> None:
    async with _stage(first=_voice(server), second=_voice(server), both=["first", "second"]) as stage:
        server.speeches.append(Speech(parts=[tone()] * 2, cut_after=1))
        with pytest.raises(WorkError) as failed:
            await _say(stage, "both")
        assert (failed.value.code, failed.value.retryable) == ("upstream_cut", True)
        assert len(server.bodies) == 1


async def test_one_that_fails_again_and_again_is_passed_over(server: SpeechServer) -> None:
    limits = {"breaker_failures": 2, "breaker_open_s": 60}
    first, second = _voice(server, limits=limits), _voice(server)
    async with _stage(first=first, second=second, both=["first", "second"]) as stage:
        before = _passed_over()
        for _ in range(2):
            server.speeches.extend([_DOWN, Speech()])
            await _say(stage, "both")
        assert _passed_over() == before
        server.bodies.clear()
        assert (await _say(stage, "both")).ended.voice == "second"
        assert len(server.bodies) == 1, "the first was not asked"
        assert _passed_over() == before + 1


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"api_key_env": ""}, "invalid_api_key", "(api_key)"),
        ({"voice": "nobody"}, "invalid_voice", "(voice)"),
        ({"model": "nothing"}, "model_not_found", "(model)"),
    ],
)
async def test_what_a_client_is_told_begins_with_the_backend_and_ends_with_the_field(
    server: SpeechServer, fields: dict[str, str], code: str, field: str
) -> None:
    async with _stage(plain=_voice(server, **fields)) as stage:
        with pytest.raises(WorkError) as failed:
            await _say(stage, "plain")
    assert (failed.value.code, failed.value.retryable) == (code, False)
    assert failed.value.message.startswith("openai: ")
    assert failed.value.message.endswith(field)


async def test_a_text_that_is_too_long_for_the_server_is_not_sent_again(server: SpeechServer) -> None:
    async with _stage(plain=_voice(server)) as stage:
        server.speeches.append(Speech(status=413))
        with pytest.raises(WorkError) as failed:
            await _say(stage, "plain")
    assert (failed.value.code, failed.value.retryable) == ("context_length_exceeded", False)
    assert failed.value.message.endswith("(text)")


async def test_a_text_that_is_too_long_or_holds_no_words_is_not_sent(server: SpeechServer) -> None:
    async with _stage(plain=_voice(server)) as stage:
        with pytest.raises(WorkError) as failed:
            await _say(stage, "plain", "Words. " * 2_858)
        assert failed.value.code == "text_too_long"
        assert (await _say(stage, "plain", "\N{GRINNING FACE}")).chunks == []
        assert server.bodies == []


@pytest.mark.parametrize("names", [[], ["nobody"], ["both"]])
def test_a_list_names_voices(server: SpeechServer, names: list[str]) -> None:
    voices: dict[str, Any] = {"plain": _voice(server), "both": names}
    with pytest.raises(ValidationError, match="both"):
        TtsSettings(tts_voices=voices)


def test_a_server_without_tls_is_refused_where_tls_is_required(server: SpeechServer) -> None:
    voices: dict[str, Any] = {"plain": _voice(server)}
    with pytest.raises(ValidationError, match=r"plain\.base_url is without TLS"):
        TtsSettings(tts_voices=voices, require_tls=True, nats_url="tls://broker:4222")
