"""A call's line to its client: frames that come are read, frames that go are written, until hung up."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from dialtone.gateway.core.client_events import Disconnected, Invalid
from dialtone.gateway.core.effects import Close
from dialtone.gateway.dialects import Dialect
from dialtone.gateway.runtime.call_runner import CallRunner
from dialtone.gateway.runtime.manners import Manners
from dialtone.gateway.runtime.outbound import Outbound
from dialtone.telemetry import get_logger

log = get_logger(__name__)

FLUSH_S = 30.0  # for a client to take what was said before the end


class Line:
    """Reads and writes one accepted socket for its call's runner, each in a task of its own."""

    def __init__(
        self,
        socket: WebSocket,
        dialect: Dialect,
        runner: CallRunner,
        outbound: Outbound,
        manners: Manners,
        *,
        close_s: float,
    ) -> None:
        """`close_s`: how long the client may take for the close frame."""
        self._socket = socket
        self._dialect = dialect
        self._runner = runner
        self._outbound = outbound
        self._manners = manners
        self._close_s = close_s
        self._reading = asyncio.create_task(self._read())
        self._writing = asyncio.create_task(self._write())

    async def _read(self) -> None:
        """Bring what the client sends to its call, until it is gone or has to go."""
        try:
            while await self._read_one():
                pass
        except TimeoutError:
            self._runner.put(self._manners.idle())
        except Exception:
            log.exception("reading from the client failed")
        self._runner.put(Disconnected())

    async def _read_one(self) -> bool:
        """Bring one message; False: there was none, the client is gone.

        In a function of its own, so that megabytes do not lie in its variables until the next comes.
        """
        async with asyncio.timeout(self._manners.idle_s):
            message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            return False
        text = message.get("text")
        frame = message.get("bytes") or b"" if text is None else text
        event = self._dialect.decode(frame)
        if event is not None:
            await self._runner.offer(event, len(frame))
        if isinstance(event, Invalid) and (expelled := self._manners.wrong()):
            self._runner.put(expelled)
        return True

    async def _write(self) -> None:
        try:
            await self._outbound.run()
        except (RuntimeError, WebSocketDisconnect, OSError):
            self._runner.put(Disconnected())  # the socket went away under the frame

    async def hang_up(self, close: Close | None) -> None:
        """Send what is left, then close the socket; with None the client is gone, and nothing is sent."""
        await _end(self._reading)
        if close is not None and not self._outbound.stalled:
            self._outbound.finish()
            await asyncio.wait({self._writing}, timeout=FLUSH_S)
        await _end(self._writing)
        if close is not None:
            with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
                async with asyncio.timeout(self._close_s):
                    await self._socket.close(close.code, close.reason)

    def drop(self) -> None:
        """Stop reading and writing at once."""
        self._reading.cancel()
        self._writing.cancel()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})
