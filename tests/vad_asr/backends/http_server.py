"""OpenAI's transcriptions and Gemini's streamGenerateContent, as their references describe them."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import io
import json
import socket
import threading
import time
import wave
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.vad_asr.backends.scenes import API_KEY, MODEL, UNSPOKEN, Asked, Scene

Json = dict[str, Any]


class _Cut(Exception):
    """The connection breaks here."""


class HttpServer:
    """In a thread of its own, from `start` to `stop`."""

    path = ""

    def __init__(self) -> None:
        self.script: deque[Scene] = deque()
        self.asked: list[Asked] = []
        self.bodies: list[Json] = []
        """Fields of the requests, without the audio."""
        self.open = 0
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        app = Starlette(routes=[Route(self.path, self._answer, methods=["POST"])])
        config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    @property
    def connections(self) -> int:
        """Open ones, also those on which nothing is asked."""
        return len(self._server.server_state.connections)

    def hang_up_idle(self, after_s: float) -> None:
        """What connects from now on is closed when nothing is asked on it for so long."""
        self._server.config.timeout_keep_alive = after_s  # type: ignore[assignment]  # any number will do

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.005)

    def reset(self) -> None:
        self.script.clear()
        self.asked.clear()
        self.bodies.clear()
        self.hang_up_idle(5.0)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    async def _answer(self, request: Request) -> Response:
        refusal = await self._refusal(request)
        if refusal is not None:
            return refusal
        scene = self.script.popleft() if self.script else Scene()
        if scene.raw is not None:
            return Response(scene.raw[0], scene.status, dict(scene.headers), scene.raw[1])
        if scene.status != 200:
            return JSONResponse({"error": self.error(scene)}, scene.status, headers=dict(scene.headers))
        return StreamingResponse(self._play(scene), media_type="text/event-stream")

    async def _play(self, scene: Scene) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            if scene.silent:
                await asyncio.sleep(60)
            for at, event in enumerate(self.events(scene)):
                if scene.cut_after is not None and at >= scene.cut_after:
                    raise _Cut
                yield b"data: " + json.dumps(event).encode() + b"\n\n"
                await asyncio.sleep(scene.pace_s)
        finally:
            self.open -= 1

    async def _refusal(self, request: Request) -> Response | None:
        raise NotImplementedError

    def events(self, scene: Scene) -> Iterable[Json]:
        raise NotImplementedError

    def error(self, scene: Scene) -> Json:
        raise NotImplementedError


class OpenAiServer(HttpServer):
    """https://platform.openai.com/docs/api-reference/audio/createTranscription"""

    path = "/v1/audio/transcriptions"

    async def _refusal(self, request: Request) -> Response | None:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        if key != API_KEY:
            return _openai_error(401, f"Incorrect API key provided: {key}.", code="invalid_api_key")
        fields, file = _form(request.headers["content-type"], await request.body())
        seconds = _seconds(file)
        self.bodies.append(fields)
        model, language = fields["model"], fields.get("language", "")
        self.asked.append(Asked(model, language, fields.get("prompt", ""), seconds))
        if model != MODEL:
            return _openai_error(404, f"The model `{model}` does not exist.", code="model_not_found")
        if language == UNSPOKEN:
            return _openai_error(400, "Invalid language.", param="language", code="invalid_language_format")
        if seconds < 0.1:
            return _openai_error(400, "Audio file is too short.", param="file", code="audio_too_short")
        return None

    def events(self, scene: Scene) -> Iterable[Json]:
        for word in scene.words:
            yield {"type": "transcript.text.delta", "delta": word}
        usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 4, "total_tokens": 18}
        yield {
            "type": "transcript.text.done",
            "text": scene.text,
            "languages": [{"code": "en"}] if scene.words else [],
            "usage": usage,
        }

    def error(self, scene: Scene) -> Json:
        kind = "server_error" if scene.status >= 500 else "invalid_request_error"
        return {"message": "No.", "type": kind, "param": None, "code": None}


def _openai_error(status: int, message: str, *, param: str | None = None, code: str) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return JSONResponse({"error": error}, status)


class GeminiServer(HttpServer):
    """https://ai.google.dev/api/generate-content"""

    path = "/v1/models/{model}:streamGenerateContent"

    async def _refusal(self, request: Request) -> Response | None:
        key = request.headers.get("x-goog-api-key", "")
        if key != API_KEY:
            info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
            message = f"API key not valid: {key}. Please pass a valid API key."
            return _google_error(400, message, "INVALID_ARGUMENT", [info])
        assert request.query_params["alt"] == "sse"
        body = await request.json()
        audio = body["contents"][0]["parts"][0]["inlineData"].pop("data")
        self.bodies.append(body)
        model = request.path_params["model"]
        told = body["systemInstruction"]["parts"][0]["text"]
        self.asked.append(Asked(model, "", told, _seconds(base64.b64decode(audio))))
        if model != MODEL:
            return _google_error(404, f"models/{model} is not found for API version v1beta", "NOT_FOUND", [])
        return None

    def events(self, scene: Scene) -> Iterable[Json]:
        common = {"modelVersion": MODEL, "responseId": "r1", "usageMetadata": {"promptTokenCount": 40}}
        for text in ["en\n", *scene.words] if scene.words else []:
            content = {"role": "model", "parts": [{"text": text}]}
            yield {"candidates": [{"content": content, "index": 0}], **common}
        yield {"candidates": [{"content": {"role": "model"}, "finishReason": "STOP", "index": 0}], **common}

    def error(self, scene: Scene) -> Json:
        retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": scene.retry_delay}
        details = [retry] if scene.retry_delay else []
        status = "RESOURCE_EXHAUSTED" if scene.status == 429 else "INTERNAL"
        return {"code": scene.status, "message": "No.", "status": status, "details": details}


def _google_error(code: int, message: str, status: str, details: list[Json]) -> Response:
    return JSONResponse(
        {"error": {"code": code, "message": message, "status": status, "details": details}}, code
    )


def _form(content_type: str, body: bytes) -> tuple[dict[str, str], bytes]:
    """The fields of a form, and its file."""
    head = f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n".encode()
    fields: dict[str, str] = {}
    file = b""
    for part in email.message_from_bytes(head + body, policy=email.policy.HTTP).iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if part.get_filename():
            assert (part.get_filename() or "").endswith(".wav"), "the server goes by the name"
            file = content
        else:
            fields[str(part.get_param("name", header="content-disposition"))] = content.decode()
    return fields, file


def _seconds(data: bytes) -> float:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return float(file.getnframes() / 16_000)
