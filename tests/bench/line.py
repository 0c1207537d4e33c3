"""A caller's line: a socket that is listened to all the time, and waiting for what is heard on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

OPENING_S = 20.0
_MAX_MESSAGE = 16 * 2**20


class CallFailed(Exception):
    """The call cannot be made or cannot go on; the text says why."""


class Line:
    """One connection. Frames are written as they are on the wire (`tests.bench.wire`)."""

    def __init__(
        self, url: str, on_message: Callable[[str | bytes, float], bool], headers: Mapping[str, str]
    ) -> None:
        """`url`: ws://HOST:PORT/PATH. `on_message(message, now)` says whether anybody may wait for it."""
        self._url = url
        self._on_message = on_message
        self._headers = headers
        self._socket: ClientConnection | None = None
        self._changed = asyncio.Event()
        self.gone = ""
        """Why there is no connection any more."""
        self.most_unsent = 0
        """Bytes that waited in the socket's write buffer, at most."""

    @asynccontextmanager
    async def dialled(self) -> AsyncIterator[None]:
        """The line is open inside, and closed in an orderly way after. Raises CallFailed."""
        try:
            async with connect(
                self._url,
                additional_headers=self._headers,
                compression=None,
                max_size=_MAX_MESSAGE,
                open_timeout=OPENING_S,
                proxy=None,
            ) as self._socket:
                listening = asyncio.create_task(self._listen(self._socket))
                try:
                    yield
                finally:
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
        except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed) as error:
            self.gone = self.gone or f"{type(error).__name__}: {error}"
            raise CallFailed(self.gone) from error

    async def send(self, text: str) -> None:
        """Send one message."""
        assert self._socket is not None
        await self._socket.send(text)

    def write(self, frame: bytes) -> None:
        """Write a frame that is ready for the wire; nothing, when the connection is gone."""
        assert self._socket is not None
        transport = self._socket.transport
        if not transport.is_closing():
            transport.write(frame)
            self.most_unsent = max(self.most_unsent, transport.get_write_buffer_size())

    def cut(self) -> None:
        """Vanish without a close frame, as a client does whose network is lost."""
        assert self._socket is not None
        self._socket.transport.abort()

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for the condition; False when it takes too long. Raises CallFailed when the line is gone."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    if self.gone:
                        raise CallFailed(self.gone)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            while True:
                if self._on_message(await socket.recv(), time.monotonic()):
                    self._changed.set()
        except ConnectionClosed as closed:
            self.gone = f"the connection was closed: {closed}"
            self._changed.set()
