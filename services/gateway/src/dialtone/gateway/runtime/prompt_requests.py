"""HTTP connections on which nothing, or half a request, comes: closed after a while, not held for ever.

Each takes a file of the process; uvicorn waits for a request without end, so that one client with a
thousand idle connections would keep everybody else out.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dialtone.gateway.runtime import metrics


class PromptRequests(HttpToolsProtocol):
    """uvicorn's HTTP connection, on which every request, handshakes included, has to come in time."""

    def __init__(self, *args: Any, within_s: float, **kwargs: Any) -> None:
        """`within_s`: from the connection, or a request's first byte on one in use, to its last byte."""
        super().__init__(*args, **kwargs)
        self._within_s = within_s
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._start_clock()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._clock is None:
            self._start_clock()

    def on_message_complete(self) -> None:
        self._stop_clock()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._stop_clock()  # the connection is another's from here on
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def _start_clock(self) -> None:
        self._clock = self.loop.call_later(self._within_s, self._too_late)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _too_late(self) -> None:
        self._clock = None
        metrics.refused.labels("no_request").inc()
        self.transport.abort()
