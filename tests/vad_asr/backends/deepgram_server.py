"""Deepgram's live WebSocket, as its reference describes it.

https://developers.deepgram.com/reference/speech-to-text/listen-streaming: audio in binary frames; interim
results meanwhile; Finalize makes all of it final (`from_finalize`); CloseStream does and ends with Metadata;
a connection on which nothing comes for `idle_s` is closed with 1011 and NET-0001. With `endpointing` so long
a silence makes what was said final, with `speech_final`; with `utterance_end_ms` a gap between words is told:
https://developers.deepgram.com/docs/understanding-end-of-speech-detection.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.vad_asr.backends.scenes import API_KEY, MODEL, UNSPOKEN, Asked, Scene

_INTERIM_EVERY_S = 0.2
_AUDIBLE = 300
_METADATA = {
    "request_id": "r1",
    "model_info": {"name": "test", "version": "1", "arch": "test"},
    "model_uuid": "m1",
}


class DeepgramServer:
    """In the loop of the test, from `start` to `stop`."""

    def __init__(self) -> None:
        self.script: deque[Scene] = deque()
        self.asked: list[Asked] = []
        self.queries: list[dict[str, str]] = []
        self.kept_alive = 0
        self.closed_streams = 0
        self.sent_s = 0.0
        """Audio of all connections."""
        self.idle_s = 10.0
        self.swaps = False
        """Finals come in pieces, the later before the earlier."""
        self.mute = False
        """Finalize has no answer, and what was sent is final but for the last 0.2 s."""
        self.silent = False
        """Audio is taken, and nothing is ever said of it."""
        self.ends: tuple[str, ...] = ("speech_final", "UtteranceEnd")
        """How it says that a speaker is done, where it is asked to: the first needs to hear silence."""
        self.end_delay_s = 0.0
        self.finalized = 0
        self.refusals: deque[Scene] = deque()
        """For the next handshakes."""
        self._server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"http://127.0.0.1:{port}/v1"

    @property
    def open(self) -> int:
        return len(self._server.connections) if self._server else 0

    async def start(self) -> None:
        quiet = logging.getLogger(__name__)  # what it is sent is not to be taken for what is logged of it
        quiet.setLevel(logging.INFO)
        self._server = await serve(self._serve, "127.0.0.1", 0, process_request=self._handshake, logger=quiet)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def ramble(self, results: int) -> None:
        """Send final results that nobody asked for."""
        assert self._server is not None
        best = {"transcript": "and", "confidence": 0.9, "words": []}
        said = {"type": "Results", "channel_index": [0, 1], "duration": 0.1, "is_final": True}
        for connection in list(self._server.connections):
            for at in range(results):
                message = {**said, "start": float(at), "channel": {"alternatives": [best]}}
                await connection.send(json.dumps({**message, "metadata": _METADATA}))

    def hang_up(self) -> None:
        """Break all connections."""
        assert self._server is not None
        for connection in self._server.connections:
            connection.transport.abort()

    def _handshake(self, _connection: ServerConnection, request: Request) -> Response | None:
        query = {name: values[-1] for name, values in parse_qs(urlsplit(request.path).query).items()}
        key = request.headers.get("Authorization", "").removeprefix("Token ")
        if key != API_KEY:
            return _refused(401, "INVALID_AUTH", f"Invalid credentials: {key}.")
        self.queries.append(query)
        self.asked.append(Asked(query["model"], query.get("language", ""), "", 0.0))
        if query["model"] != MODEL or query.get("language") == UNSPOKEN:
            return _refused(400, "Bad Request", "Bad Request: No such model/language combination found.")
        if self.refusals or (self.script and self.script[0].status != 200):
            scene = (self.refusals or self.script).popleft()
            refusal = _refused(scene.status, "REFUSED", "No.", dict(scene.headers))
            if scene.raw is not None:
                refusal.body = scene.raw[0]
                refusal.headers["Content-Length"] = str(len(scene.raw[0]))
            return refusal
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        stream = _Stream(self, connection, parse_qs(urlsplit(connection.request.path).query))
        try:
            while True:
                async with asyncio.timeout(self.idle_s):
                    message = await connection.recv()
                await stream.take(message)
        except TimeoutError:
            await connection.close(1011, "NET-0001: did not receive audio data within the timeout window")
        except ConnectionClosed:
            return
        finally:
            stream.end()


class _Stream:
    def __init__(
        self, server: DeepgramServer, connection: ServerConnection, query: dict[str, list[str]]
    ) -> None:
        self._server = server
        self._connection = connection
        self._silence_s = _seconds(query.get("endpointing", ["10"])[0])
        self._gap_s = _seconds(query.get("utterance_end_ms", [""])[0])
        self._voiced_s: float | None = None  # of what no end was told of yet
        self._total_s = 0.0
        self._final_s = 0.0
        self._shown_s = 0.0
        self._answers: set[asyncio.Task[None]] = set()

    def end(self) -> None:
        for answer in self._answers:
            answer.cancel()

    async def take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            assert len(message) % 2 == 0
            assert message, "an empty frame ends the stream"
            seconds = len(message) / 32_000
            self._total_s += seconds
            self._server.sent_s += seconds
            self._listen(message)
            if self._total_s - max(self._shown_s, self._final_s) >= _INTERIM_EVERY_S:
                self._shown_s = self._total_s
                scene = self._server.script[0] if self._server.script else Scene()
                shown = "".join(scene.words[:1]) if self._voiced_s is not None else ""
                await self._say(self._final_s, self._total_s, shown, is_final=False)
            return
        kind = json.loads(message)["type"]
        if kind == "KeepAlive":
            self._server.kept_alive += 1
        elif kind == "Finalize":
            self._server.finalized += 1
            self._voiced_s = None
            self._begin(self._finalize(self._total_s))  # audio goes on to be taken meanwhile
        elif kind == "CloseStream":
            self._server.closed_streams += 1
            metadata: dict[str, Any] = {
                "type": "Metadata",
                "transaction_key": "deprecated",
                "request_id": "r1",
                "sha256": "0",
            }
            metadata |= {"created": "2026-01-01T00:00:00Z", "duration": self._total_s, "channels": 1}
            await self._connection.send(json.dumps(metadata))
            await self._connection.close()
        else:
            raise AssertionError(f"no message of the protocol: {kind}")

    def _begin(self, saying: Coroutine[Any, Any, None]) -> None:
        answer = asyncio.create_task(saying)
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    def _listen(self, pcm: bytes) -> None:
        if np.abs(np.frombuffer(pcm, dtype="<i2")).max() > _AUDIBLE:
            self._voiced_s = self._total_s
            return
        if self._voiced_s is None:
            return
        for kind, wanted_s in (("speech_final", self._silence_s), ("UtteranceEnd", self._gap_s)):
            if kind in self._server.ends and wanted_s and self._total_s - self._voiced_s >= wanted_s:
                self._begin(self._end(kind, self._voiced_s, self._total_s))
                self._voiced_s = None
                return

    async def _end(self, kind: str, voiced_s: float, end_s: float) -> None:
        scene = self._server.script.popleft() if self._server.script else Scene()
        start_s, self._final_s = self._final_s, end_s
        try:
            await asyncio.sleep(self._server.end_delay_s)
            if kind == "UtteranceEnd":
                await self._say(start_s, end_s, scene.text, is_final=True)
                end = {"type": kind, "channel": [0, 1], "last_word_end": voiced_s}
                await self._connection.send(json.dumps(end))
            elif self._server.swaps:
                middle_s = (start_s + end_s) / 2
                await self._say(middle_s, end_s, "".join(scene.words[1:]), is_final=True, ends=True)
                await asyncio.sleep(0.2)
                await self._say(start_s, middle_s, scene.words[0], is_final=True)
            else:
                await self._say(start_s, end_s, scene.text, is_final=True, ends=True)
        except ConnectionClosed:
            return

    async def _finalize(self, end_s: float) -> None:
        server = self._server
        scene = server.script.popleft() if server.script else Scene()
        start_s, self._final_s = self._final_s, end_s
        try:
            if scene.silent:
                return
            if scene.raw is not None:
                await self._connection.send(scene.raw[0].decode(errors="replace"))
                return
            said = ""
            for at, word in enumerate(scene.words):
                if at == scene.cut_after:
                    self._connection.transport.abort()
                    return
                said += word
                await self._say(start_s, end_s, said, is_final=False)
                await asyncio.sleep(scene.pace_s)
            if server.mute:
                self._final_s = max(start_s, end_s - 0.2)
                await self._say(start_s, self._final_s, scene.text, is_final=True)
            elif server.swaps and len(scene.words) > 1:
                middle_s = (start_s + end_s) / 2
                await self._say(middle_s, end_s, "".join(scene.words[1:]), is_final=True, flushed=True)
                await self._say(start_s, middle_s, scene.words[0], is_final=True)
            else:
                await self._say(start_s, end_s, scene.text, is_final=True, flushed=True)
        except ConnectionClosed:
            return

    async def _say(
        self,
        start_s: float,
        end_s: float,
        text: str,
        *,
        is_final: bool,
        flushed: bool = False,
        ends: bool = False,
    ) -> None:
        if self._server.silent:
            return
        best: dict[str, Any] = {"transcript": text.strip(), "confidence": 0.99, "words": []}
        result: dict[str, Any] = {
            "type": "Results",
            "channel_index": [0, 1],
            "start": start_s,
            "duration": end_s - start_s,
            "is_final": is_final,
            "speech_final": ends,
            "from_finalize": flushed,
            "channel": {"alternatives": [best]},
            "metadata": _METADATA,
        }
        await self._connection.send(json.dumps(result))


def _seconds(milliseconds: str) -> float:
    return int(milliseconds) / 1000 if milliseconds.isdigit() else 0.0


def _refused(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps({"err_code": code, "err_msg": message, "request_id": "r1"}).encode()
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    return Response(status, HTTPStatus(status).phrase, Headers(fields), body)
