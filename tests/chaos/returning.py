"""A caller whose client comes back by itself when its gateway restarts: the same conversation, elsewhere."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.chaos.caller import ANSWER_S, FRAME_S, SESSION, SILENCE, Turn, append_event, frames_of
from tests.chaos.words import VOCABULARY

SERVICE_RESTART = 1012
_BACK_S = 20.0
_AGAIN_S = 0.05
_PAUSE_S = 0.2  # after an answer has been played; what comes twice would come now

Addresses = Callable[[], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Said:
    """A turn, and when it was: seconds on the monotonic clock."""

    turn: Turn
    began: float
    ended: float


class ReturningCaller:
    """Talks without end: says four words, listens to the answer, says the next.

    Whoever answers is called: `addresses` gives ws:// URLs of gateways, none of them known to be up. What
    was said of a question when the connection ended is said again, unless the gateway had told that it has
    it (`input_audio_buffer.committed`).
    """

    def __init__(self, addresses: Addresses, seed: int) -> None:
        self.session_id = ""
        self.returns_s: list[float] = []
        """From the close frame until the conversation went on, each time."""
        self.said: list[Said] = []
        self._addresses = addresses
        self._random = random.Random(seed)
        self._socket: ClientConnection | None = None
        self._gone = False
        self._question: list[bytes] = []
        self._position = 0
        self._behind = 0  # frames of the question that were said to a gateway that has gone
        self._committed = True
        self._turn = Turn([])
        self._changed = asyncio.Event()

    async def talk(self, go_on: Callable[[], bool]) -> None:
        """Ask one question after the other as long as that holds, or until the gateway does not come back."""
        while self._socket is None and not self._gone:
            await self._news()
        while go_on() and not self._gone:
            began = time.monotonic()
            self._turn = Turn(self._random.sample(VOCABULARY, 4))
            self._question, self._position = frames_of(self._turn.words), 0
            self._behind, self._committed = 0, False
            await self._listen_to_the_end(self._turn)
            self.said.append(Said(self._turn, began, time.monotonic()))
        if not self.said:
            raise AssertionError(f"no call: {self._turn.errors}")

    @property
    def gone(self) -> bool:
        """It has no call, and will not have one again."""
        return self._gone

    async def _listen_to_the_end(self, turn: Turn) -> None:
        try:
            async with asyncio.timeout(len(self._question) * FRAME_S + ANSWER_S):
                while not turn.over:
                    await self._news()
        except TimeoutError:
            turn.errors.append(f"no end of an answer within {ANSWER_S:.0f} s")
        await asyncio.sleep(max(0.0, (turn.playout.ends_at or 0) - time.monotonic()) + _PAUSE_S)

    async def _news(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def speak(self) -> None:
        """Send a frame each 20 ms on an absolute schedule, and at once what has to be said again."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if (socket := self._socket) is not None:
                count, self._behind = 1 + self._behind, 0
                try:
                    for _ in range(count):
                        await socket.send(append_event(self._next()))
                except ConnectionClosed:
                    pass  # `stay` sees to it
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _next(self) -> bytes:
        if self._position >= len(self._question):
            return SILENCE
        self._position += 1
        if self._position == len(self._question):
            # Said again or not: it was over when it was said first.
            self._turn.spoken_at = self._turn.spoken_at or time.monotonic()
        return self._question[self._position - 1]

    async def stay(self) -> None:
        """Keep a connection as long as gateways part with 1012; any other end is an error of the turn."""
        left_at = 0.0
        try:
            while True:
                try:
                    async with asyncio.timeout(_BACK_S):
                        socket = await self._connect()
                except (TimeoutError, ConnectionClosed, InvalidStatus) as error:
                    self._turn.errors.append(f"it did not come back: {type(error).__name__} {error}")
                    return
                if left_at:
                    self.returns_s.append(time.monotonic() - left_at)
                await self._hear(socket)
                left_at = time.monotonic()
                if socket.close_code != SERVICE_RESTART:
                    self._turn.errors.append(f"ended: {socket.close_code} {socket.close_reason}")
                    return
                if not self._committed:
                    self._behind, self._position = self._position, 0
        finally:
            self._gone = True
            self._changed.set()

    async def _hear(self, socket: ClientConnection) -> None:
        """Note all that comes, until the connection ends."""
        self._socket = socket
        self._changed.set()
        try:
            async for message in socket:
                event = json.loads(message)
                self._committed = self._committed or event["type"] == "input_audio_buffer.committed"
                self._turn.hear(event, time.monotonic())
                self._changed.set()
        except ConnectionClosed:
            pass  # the caller of this looks at how
        finally:
            self._socket = None
            await socket.close()

    async def _connect(self) -> ClientConnection:
        """A connection on which the session is there: a new one the first time."""
        query = f"?session_id={self.session_id}" if self.session_id else ""
        while True:
            addresses = list(self._addresses())
            self._random.shuffle(addresses)
            for address in addresses:
                try:
                    socket = await connect(
                        f"{address}/v1/realtime{query}", compression=None, proxy=None, max_size=2**24
                    )
                except InvalidStatus as refused:
                    if refused.response.status_code != 503:
                        raise
                except OSError:
                    continue  # it is not there, or not yet
                else:
                    await self._begin(socket)
                    return socket
            await asyncio.sleep(_AGAIN_S)

    async def _begin(self, socket: ClientConnection) -> None:
        created = await _event(socket, "session.created")
        if self.session_id:
            assert created["session"]["id"] == self.session_id
            return
        self.session_id = created["session"]["id"]
        await socket.send(json.dumps({"type": "session.update", "session": SESSION}))
        await _event(socket, "session.updated")


async def _event(socket: ClientConnection, kind: str) -> dict[str, Any]:
    while True:
        event: dict[str, Any] = json.loads(await socket.recv())
        if event["type"] == kind:
            return event


@asynccontextmanager
async def returning(addresses: Addresses, seed: int) -> AsyncIterator[ReturningCaller]:
    """A caller that is connected, or about to be."""
    caller = ReturningCaller(addresses, seed)
    tasks = [asyncio.create_task(caller.stay()), asyncio.create_task(caller.speak())]
    try:
        yield caller
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
