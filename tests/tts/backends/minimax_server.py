"""MiniMax's speech, t2a_v2, as its reference describes it, with the troubles that servers have."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.tts.backends.speech_server import API_KEY, MODEL, VOICE, Speech
from tests.vad_asr.backends.http_server import HttpServer

RATES = (8_000, 16_000, 22_050, 24_000, 32_000, 44_100)
_TRACE = "01b8bf9bb7433cc75c18eee6cfa8fe21"

Json = dict[str, Any]


class _Cut(Exception):
    """The connection breaks here."""


class MiniMaxServer(HttpServer):
    """https://platform.minimax.io/docs/api-reference/speech-t2a-http"""

    path = "/v1/t2a_v2"

    def __init__(self) -> None:
        super().__init__()
        self.speeches: deque[Speech] = deque()
        """For the next requests; after that each is answered with `Speech()`."""
        self.groups: list[str] = []
        self.ports: set[int] = set()
        """Of the clients' ends of connections."""

    def reset(self) -> None:
        super().reset()
        self.speeches.clear()
        self.groups.clear()
        self.ports.clear()

    async def _answer(self, request: Request) -> Response:
        assert request.client is not None
        self.ports.add(request.client.port)
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            return _refused(1004, "login fail: Please carry the API secret key in the 'Authorization' field")
        if key != API_KEY:
            return _refused(2049, f"invalid api key {key}")  # the real one does not repeat it
        body = await request.json()
        self.bodies.append(body)
        self.groups.append(request.query_params.get("GroupId", ""))
        if refusal := _refusal(body):
            return _refused(*refusal)
        speech = self.speeches.popleft() if self.speeches else Speech()
        if speech.status != 200:
            headers = dict(speech.headers)
            if speech.error is None:
                return Response("<html>Bad gateway</html>", speech.status, headers, media_type="text/html")
            return JSONResponse({"error": speech.error}, speech.status, headers)
        streamed = speech.kind.startswith(("audio/", "application/octet-stream"))
        if speech.error is not None:
            if not streamed:
                return JSONResponse({"data": None, "trace_id": _TRACE, "base_resp": speech.error})
        elif not streamed:
            return StreamingResponse(_each(speech.parts), media_type=speech.kind)
        return StreamingResponse(self._said(speech, body), media_type="text/event-stream")

    async def _said(self, speech: Speech, body: Json) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            if speech.silent:
                await asyncio.sleep(60)
            for at, part in enumerate(speech.parts):
                if at == speech.cut_after:
                    raise _Cut
                yield _event(data={"audio": part.hex(), "status": 1, "ced": ""})
                await asyncio.sleep(speech.pace_s)
            if speech.cut_after == len(speech.parts):
                raise _Cut
            if speech.error is not None:
                yield _event(base_resp=dict(speech.error))
                return
            whole = b"".join(speech.parts)
            apart = body.get("stream_options", {}).get("exclude_aggregated_audio", False)
            last = {"audio": "" if apart else whole.hex(), "status": 2, "ced": ""}
            yield _event(data=last, extra_info=_extra_info(whole, speech, body))
        finally:
            self.open -= 1


async def _each(parts: Sequence[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
        await asyncio.sleep(0)


def _refusal(body: Json) -> tuple[int, str] | None:
    """What the reference does not allow: status code and message of `base_resp`."""
    voice, audio = body["voice_setting"], body.get("audio_setting", {})
    if body["model"] != MODEL:
        return 2013, f"invalid params, unknown model '{body['model']}'"
    if voice["voice_id"] != VOICE:
        return 2054, "voice id not exist"
    if not body["text"]:
        return 2013, "invalid params, text is required"
    if len(body["text"]) >= 10_000:
        return 2013, "invalid params, text is too long"
    if not 0.5 <= voice.get("speed", 1.0) <= 2 or not 0 < voice.get("vol", 1.0) <= 10:
        return 2013, "invalid params, voice_setting is out of range"
    if not isinstance(voice.get("pitch", 0), int) or not -12 <= voice.get("pitch", 0) <= 12:
        return 2013, "invalid params, Mismatch type int64 with value number"
    if audio.get("sample_rate", 32_000) not in RATES or audio.get("channel", 1) not in (1, 2):
        return 2013, "invalid params, audio_setting is out of range"
    if not body.get("stream") or audio.get("format", "mp3") != "pcm":
        return 2013, "the tests have no other answer than streamed PCM"
    return None


def _refused(status_code: int, message: str) -> Response:
    return JSONResponse(
        {"data": None, "trace_id": _TRACE, "base_resp": {"status_code": status_code, "status_msg": message}}
    )


def _event(**members: Any) -> bytes:
    said = {"trace_id": _TRACE, "base_resp": {"status_code": 0, "status_msg": "success"}, **members}
    return f"data: {json.dumps(said)}\n\n".encode()


def _extra_info(whole: bytes, speech: Speech, body: Json) -> Json:
    fields = dict(field.strip().split("=") for field in speech.kind.split(";")[1:])
    rate = int(fields.get("rate", body["audio_setting"]["sample_rate"]))
    return {
        "audio_length": len(whole) // 2 * 1000 // rate,
        "audio_sample_rate": rate,
        "audio_size": len(whole),
        "bitrate": 128_000,
        "word_count": len(body["text"].split()),
        "invisible_character_ratio": 0,
        "usage_characters": len(body["text"]),
        "audio_format": "pcm",
        "audio_channel": 1,
    }
