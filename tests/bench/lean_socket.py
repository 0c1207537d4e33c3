"""A WebSocket client that costs next to nothing, so that what it measures has the cores.

Only what the measured servers send: whole, unmasked messages, pings, close. Not for use on a network.
"""

from __future__ import annotations

import asyncio
import base64
import os
import struct
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

_OPENING_S = 30.0
_CLOSE, _PING, _PONG = 8, 9, 10
_HEAD_END = b"\r\n\r\n"


class LeanSocket(asyncio.Protocol):
    """`on_message(text)` gets each message; `gone` says why there will be no more."""

    def __init__(self, path: str, host: str, on_message: Callable[[bytes], None]) -> None:
        self._path = path
        self._host = host
        self._on_message = on_message
        self._open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self.gone = ""

    @classmethod
    async def connect(cls, url: str, path: str, on_message: Callable[[bytes], None]) -> LeanSocket:
        """Open `path` of ws://HOST:PORT. Raises ConnectionError, TimeoutError."""
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        loop = asyncio.get_running_loop()
        _, socket = await loop.create_connection(lambda: cls(path, parts.netloc, on_message), host, port)
        async with asyncio.timeout(_OPENING_S):
            await socket._open
        return socket

    def write(self, frame: bytes) -> None:
        """Write a frame that is ready for the wire."""
        if self._transport is not None and not self.gone:
            self._transport.write(frame)

    def close(self) -> None:
        """Say goodbye and disconnect."""
        self.write(struct.pack("!BBIH", 0x80 | _CLOSE, 0x80 | 2, 0, 1000))
        if self._transport is not None:
            self._transport.close()

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take the messages out of what came."""
        self._buffer += data
        if not self._open.done() and not self._upgraded():
            return
        while (frame := self._next_frame()) is not None:
            opcode, payload = frame
            if opcode == _PING:
                self.write(struct.pack("!BBI", 0x80 | _PONG, 0x80 | len(payload), 0) + payload)
            elif opcode == _CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if len(payload) >= 2 else 1005
                self.gone = f"closed by the server: {code} {payload[2:].decode(errors='replace')}"
            elif opcode != _PONG:
                self._on_message(payload)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note why."""
        self.gone = self.gone or f"connection lost: {exc}"
        if not self._open.done():
            self._open.set_exception(ConnectionError(self.gone))

    def _upgraded(self) -> bool:
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return False
        status = bytes(self._buffer[: self._buffer.find(b"\r\n")]).decode(errors="replace")
        del self._buffer[: end + len(_HEAD_END)]
        if " 101 " in f"{status} ":
            self._open.set_result(None)
            return True
        self.gone = status
        self._open.set_exception(ConnectionError(status))
        return False

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        start, size = 2, buffer[1] & 0x7F
        if size == 126:
            start, size = 4, int.from_bytes(buffer[2:4])
        elif size == 127:
            start, size = 10, int.from_bytes(buffer[2:10])
        if len(buffer) < start + size:
            return None
        opcode, payload = buffer[0] & 0x0F, bytes(buffer[start : start + size])
        del buffer[: start + size]
        return opcode, payload
