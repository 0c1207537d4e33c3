"""Stopping: the first signal lets calls come to their end, a second one ends the process at once.

uvicorn closes every WebSocket as soon as it is asked to stop, and afterwards raises the signal again,
which kills the process before its stores are closed. Here its shutdown begins when the calls are over;
until then it listens, so that whoever asks is told to go elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import uvicorn

from dialtone.telemetry import get_logger

log = get_logger(__name__)


class DrainingServer(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, and then until `drain` is done."""

    def __init__(self, config: uvicorn.Config, *, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain
        self._draining: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal, number)
        await super().serve(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to this class."""
        yield

    def _on_signal(self, number: int) -> None:
        if self._draining is not None:
            log.warning("stopping at once", signal=signal.Signals(number).name)
            sys.stderr.flush()
            os._exit(128 + number)
        log.info("asked to stop", signal=signal.Signals(number).name)
        self._draining = asyncio.create_task(self._drain_and_stop())

    async def _drain_and_stop(self) -> None:
        try:
            await self._drain()
        except Exception:
            log.exception("the drain failed")
        self.should_exit = True
