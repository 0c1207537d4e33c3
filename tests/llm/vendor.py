"""A model vendor's server: answers as OpenAI's and MiniMax's published APIs do, or as a test scripts it."""

import asyncio
import json
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from openai.types.chat import ChatCompletionChunk
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

API_KEY = "sk-test-0123456789abcdef"


class Cut(Exception):
    """The connection breaks here."""


@dataclass
class Reply:
    """A scripted answer: bytes to send, seconds to wait, or Cut; `forever` repeats the last part."""

    parts: Sequence[bytes | float | type[Cut]] = ()
    status: int = 200
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = field(default_factory=dict)
    forever: bool = False


@dataclass
class Seen:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Vendor:
    """Listens on a free port of 127.0.0.1 from `start` to `stop`."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.script: deque[Reply] = deque()
        self.streaming = 0
        """Answers being streamed now."""
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._openai, methods=["POST"]),
                Route("/v1/text/chatcompletion_v2", self._minimax, methods=["POST"]),
            ]
        )
        config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            assert time.monotonic() < deadline, "the vendor's server did not start"
            time.sleep(0.005)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    async def until(self, condition: Callable[[], bool], within_s: float) -> None:
        """Wait for something that this server's thread brings about."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "not in time"
            await asyncio.sleep(0.005)

    async def until_idle(self, within_s: float) -> None:
        """Wait until no answer is being streamed."""
        await self.until(lambda: not self.streaming, within_s)

    async def _take(self, request: Request) -> tuple[dict[str, Any], Response | None]:
        body = json.loads(await request.body())
        self.seen.append(Seen(request.url.path, dict(request.headers), body))
        if not self.script:
            return body, None
        reply = self.script.popleft()
        headers = dict(reply.headers)
        if reply.content_type:
            headers["content-type"] = reply.content_type
        return body, StreamingResponse(self._play(reply), status_code=reply.status, headers=headers)

    async def _play(self, reply: Reply) -> AsyncIterator[bytes]:
        self.streaming += 1
        try:
            parts = list(reply.parts)
            while parts:
                part = parts[0] if reply.forever and len(parts) == 1 else parts.pop(0)
                if isinstance(part, bytes):
                    yield part
                    await asyncio.sleep(0.001 if reply.forever else 0)
                elif isinstance(part, float):
                    await asyncio.sleep(part)
                else:
                    raise part
        finally:
            self.streaming -= 1

    async def _openai(self, request: Request) -> Response:
        body, scripted = await self._take(request)
        if scripted:
            return scripted
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            error = {"message": f"Incorrect API key: {API_KEY}", "code": "invalid_api_key"}
            return Response(json.dumps({"error": error}), 401, media_type="application/json")
        parts = [sse(chunk) for chunk in openai_answer(body)]
        return await self._answer([*parts, b"data: [DONE]\n\n"])

    async def _minimax(self, request: Request) -> Response:
        body, scripted = await self._take(request)
        if scripted:
            return scripted
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            refusal = {"base_resp": {"status_code": 1004, "status_msg": "login fail"}}
            return Response(json.dumps(refusal), media_type="application/json")
        return await self._answer([sse(chunk) for chunk in minimax_answer(body)])

    async def _answer(self, parts: list[bytes]) -> Response:
        spaced: list[bytes | float | type[Cut]] = []
        for part in parts:
            spaced += [part, 0.005]
        return StreamingResponse(self._play(Reply(spaced)), media_type="text/event-stream")


def sse(chunk: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


def openai_chunk(delta: Mapping[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk as OpenAI sends it, held against the types of its own SDK."""
    choices = (
        [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
    )
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "gpt-test",
        "choices": choices,
        **more,
    }
    ChatCompletionChunk.model_validate(chunk, strict=True)
    return chunk


def words_of(body: Mapping[str, Any]) -> tuple[list[str], str]:
    """The answer to everything, as far as the request's limit lets it go: (tokens, finish reason)."""
    words = ["You", " said", " something", ",", " and", " this", " is", " the", " answer", "."]
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or len(words)
    return words[:limit], "length" if limit < len(words) else "stop"


def asks_weather(body: Mapping[str, Any]) -> bool:
    last = body["messages"][-1]
    return bool(body.get("tools")) and last["role"] == "user" and "weather" in last["content"]


WEATHER = [("call_paris", '{"city": "Paris"}'), ("call_tokyo", '{"city": "Tokyo"}')]


def openai_answer(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    chunks = [openai_chunk({"role": "assistant", "content": ""})]
    if asks_weather(body):
        for index, (call_id, arguments) in enumerate(WEATHER):
            function = {"name": "get_weather", "arguments": ""}
            head = {"index": index, "id": call_id, "type": "function", "function": function}
            chunks.append(openai_chunk({"tool_calls": [head]}))
            for piece in (arguments[:5], arguments[5:]):
                part = {"index": index, "function": {"arguments": piece}}
                chunks.append(openai_chunk({"tool_calls": [part]}))
        chunks.append(openai_chunk({}, "tool_calls"))
    else:
        words, finish = words_of(body)
        chunks += [openai_chunk({"content": word}) for word in words]
        chunks.append(openai_chunk({}, finish))
    if (body.get("stream_options") or {}).get("include_usage"):
        details = {"cached_tokens": 8, "audio_tokens": 0}
        counts = {"prompt_tokens": 21, "completion_tokens": 10, "total_tokens": 31}
        chunks.append(openai_chunk(None, usage={**counts, "prompt_tokens_details": details}))
    return chunks


def minimax_chunk(delta: Mapping[str, Any], finish: str = "", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "", **delta}} | ({"finish_reason": finish} if finish else {})
    return {
        "id": "04ecb5d9b1921ae0fb0e8da9017a5474",
        "choices": [choice],
        "created": 1755153113,
        "model": "MiniMax-M2",
        "object": "chat.completion.chunk",
        "usage": {"total_tokens": 0, "total_characters": 0},
        "input_sensitive": False,
        "output_sensitive": False,
        **more,
    }


def minimax_answer(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    chunks = [
        minimax_chunk({"role": "assistant", "content": "", "reasoning_content": "The user said"}),
        minimax_chunk({"reasoning_content": " something."}),
    ]
    message: dict[str, Any] = {"role": "assistant", "name": "MiniMax AI", "audio_content": ""}
    if asks_weather(body):
        calls = [
            {
                "index": index,
                "id": call_id,
                "type": "function",
                "function": {"name": "get_weather", "arguments": arguments},
            }
            for index, (call_id, arguments) in enumerate(WEATHER)
        ]
        chunks += [minimax_chunk({"tool_calls": [call]}) for call in calls]
        finish = "tool_calls"
        message |= {"content": "", "tool_calls": calls}
    else:
        words, finish = words_of(body)
        chunks += [minimax_chunk({"content": word}) for word in words]
        message["content"] = "".join(words)
    chunks.append(minimax_chunk({"content": ""}, finish))
    chunks.append(
        {
            "id": "04ecb5d9b1921ae0fb0e8da9017a5474",
            "choices": [{"finish_reason": finish, "index": 0, "message": message}],
            "object": "chat.completion",
            "usage": {"total_tokens": 31, "prompt_tokens": 21, "completion_tokens": 10},
            "base_resp": {"status_code": 0, "status_msg": ""},
        }
    )
    return chunks
