"""The server of these tests behaves as OpenAI's own SDK expects, and our requests are such as the SDK's."""

from __future__ import annotations

import time
from typing import Any

import httpx2
import pytest
from openai import (
    APIStatusError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from openai.types.audio.speech_create_params import SpeechCreateParams
from pydantic import TypeAdapter

from dialtone.tts.engines.base import Style
from dialtone.vendors.failures import UpstreamFailure
from tests.tts.backends.conftest import MakeRig
from tests.tts.backends.rig import VendorServer
from tests.tts.backends.speech_server import API_KEY, MODEL, VOICE, Speech, SpeechServer, tone

_LIMITED = Speech(
    status=429,
    headers={"Retry-After": "1"},
    error={"message": "Slow down.", "type": "requests", "param": None, "code": "rate_limit_exceeded"},
)
_SERVERS_FAULT = {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}


@pytest.fixture
def server(speech_servers: dict[str, VendorServer]) -> SpeechServer:
    server = speech_servers["openai"]
    assert isinstance(server, SpeechServer)
    server.reset()
    return server


def _client(server: SpeechServer, *, key: str = API_KEY, retries: int = 0) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=key, base_url=server.url, max_retries=retries)


async def _said(client: AsyncOpenAI, **wanted: Any) -> tuple[str, bytes]:
    """Content type and audio, streamed as the SDK's documentation shows it."""
    fields = {"model": MODEL, "voice": VOICE, "input": "Hello.", "response_format": "pcm", **wanted}
    async with client.audio.speech.with_streaming_response.create(**fields) as response:
        return response.headers["content-type"], b"".join([part async for part in response.iter_bytes()])


async def test_openais_sdk_reads_the_audio(server: SpeechServer) -> None:
    parts = [tone(0.1), tone(0.02)[:7], tone(0.02)[7:]]
    server.speeches.append(Speech(parts=parts, pace_s=0.01))
    async with _client(server) as client:
        assert await _said(client) == ("audio/pcm", b"".join(parts))
        whole = await client.audio.speech.create(
            model=MODEL, voice=VOICE, input="Hello.", response_format="pcm"
        )
        assert whole.content == tone()


@pytest.mark.parametrize(
    ("wanted", "kind", "code", "param"),
    [
        ({"model": "nothing"}, NotFoundError, "model_not_found", None),
        ({"voice": "nobody"}, BadRequestError, "invalid_value", "voice"),
        ({"input": "a" * 4097}, BadRequestError, "string_above_max_length", "input"),
    ],
)
async def test_openais_sdk_reads_the_refusals(
    server: SpeechServer, wanted: dict[str, str], kind: type[APIStatusError], code: str, param: str | None
) -> None:
    async with _client(server) as client:
        with pytest.raises(kind) as refused:
            await _said(client, **wanted)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert refused.value.type == "invalid_request_error"


async def test_openais_sdk_reads_that_a_key_is_wrong(server: SpeechServer) -> None:
    async with _client(server, key="sk-wrong") as client:
        with pytest.raises(AuthenticationError) as refused:
            await _said(client)
    assert refused.value.code == "invalid_api_key"


async def test_openais_sdk_reads_how_long_it_is_to_wait_and_comes_again(server: SpeechServer) -> None:
    async with _client(server) as client:
        server.speeches.append(_LIMITED)
        with pytest.raises(RateLimitError) as limited:
            await _said(client)
        assert limited.value.code == "rate_limit_exceeded"
        assert limited.value.response.headers["retry-after"] == "1"
    async with _client(server, retries=1) as client:
        server.speeches.append(_LIMITED)
        begun = time.monotonic()
        assert (await _said(client))[1] == tone()
        assert time.monotonic() - begun >= 1.0


@pytest.mark.parametrize("error", [_SERVERS_FAULT, None], ids=["JSON", "a page"])
async def test_openais_sdk_reads_the_servers_own_faults(
    server: SpeechServer, error: dict[str, Any] | None
) -> None:
    async with _client(server) as client:
        server.speeches.append(Speech(status=503, error=error))
        with pytest.raises(InternalServerError) as failed:
            await _said(client)
    assert failed.value.type == ("server_error" if error else None)


async def test_openais_sdk_sees_audio_break_off_as_we_do(server: SpeechServer, make_rig: MakeRig) -> None:
    cut = Speech(parts=[tone(0.1)] * 2, cut_after=1)
    rig = await make_rig("openai")
    rig.server.speeches.extend([cut, cut])
    async with _client(server) as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await _said(client)
    with pytest.raises(UpstreamFailure) as ours:
        await rig.say()
    assert ours.value.code == "upstream_cut"


@pytest.mark.parametrize(
    ("style", "extra"),
    [
        (Style(), {}),
        (Style(speed=1.5), {"instructions": "Speak calmly."}),
        (Style(length_scale=2.0), {"voice": {"id": "voice_1234"}, "stream_format": "audio"}),
    ],
)
async def test_our_request_is_one_of_openais(
    make_rig: MakeRig, style: Style, extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.tts.backends.speech_server.VOICE", extra.get("voice", VOICE))
    rig = await make_rig("openai", extra=extra)
    await rig.say("Hello there.", style)
    (body,) = rig.server.bodies
    assert set(body) <= set(SpeechCreateParams.__annotations__)
    wanted = TypeAdapter(SpeechCreateParams).validate_python(body, strict=True)
    assert (wanted["input"], wanted["response_format"]) == ("Hello there.", "pcm")
    assert wanted.get("speed", 1.0) == style.speed / (style.length_scale or 1.0)
    assert wanted["voice"] == extra.get("voice", VOICE)
