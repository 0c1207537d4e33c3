"""OpenAI's speech, as its reference describes it, with the troubles that servers have."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tests.vad_asr.backends.http_server import HttpServer

API_KEY = "sk-test-0123456789abcdef"
MODEL, VOICE = "test-tts", "test-voice"
"""Those that the server knows."""
RATE = 24_000


class _Cut(Exception):
    """The connection breaks here."""


def tone(seconds: float = 0.5) -> bytes:
    """Samples of a tone: 16 bits, little-endian."""
    times = np.arange(round(seconds * RATE)) / RATE
    return (8_000 * np.sin(2 * math.pi * 200 * times)).astype("<i2").tobytes()


@dataclass(frozen=True)
class Speech:
    """What becomes of a request. `parts` are sent `pace_s` apart."""

    parts: Sequence[bytes] = (tone(),)
    pace_s: float = 0.0
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    """What the body says beside the status; None: it is a gateway's page."""
    kind: str = "audio/pcm"
    cut_after: int | None = None
    """The connection breaks after so many of the parts."""
    silent: bool = False
    """The request is taken, and nothing comes."""


class SpeechServer(HttpServer):
    """https://platform.openai.com/docs/api-reference/audio/createSpeech"""

    path = "/v1/audio/speech"

    def __init__(self) -> None:
        super().__init__()
        self.speeches: deque[Speech] = deque()
        """For the next requests; after that each is answered with `Speech()`."""

    def reset(self) -> None:
        super().reset()
        self.speeches.clear()

    async def _answer(self, request: Request) -> Response:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        if key != API_KEY:
            return _error(401, f"Incorrect API key provided: {key}.", code="invalid_api_key")
        body = await request.json()
        self.bodies.append(body)
        if body["model"] != MODEL:
            return _error(404, f"The model `{body['model']}` does not exist.", code="model_not_found")
        if body["voice"] != VOICE:
            return _error(400, f"Voice {body['voice']} is not known.", param="voice", code="invalid_value")
        if body["response_format"] != "pcm" or len(body["input"]) > 4096:
            return _error(400, "Invalid value.", param="input", code="string_above_max_length")
        speech = self.speeches.popleft() if self.speeches else Speech()
        if speech.status != 200:
            headers = dict(speech.headers)
            if speech.error is None:
                return Response("<html>Bad gateway</html>", speech.status, headers, media_type="text/html")
            return JSONResponse({"error": speech.error}, speech.status, headers)
        return StreamingResponse(self._said(speech), media_type=speech.kind)

    async def _said(self, speech: Speech) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            if speech.silent:
                await asyncio.sleep(60)
            for at, part in enumerate(speech.parts):
                if at == speech.cut_after:
                    raise _Cut
                yield part
                await asyncio.sleep(speech.pace_s)
            if speech.cut_after == len(speech.parts):
                raise _Cut
        finally:
            self.open -= 1


def _error(status: int, message: str, *, param: str | None = None, code: str) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return JSONResponse({"error": error}, status)
