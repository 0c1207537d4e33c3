"""One call: questions at the pace of speech, answers listened to, or now and then talked into."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.bench.microphone import Microphone
from tests.bench.question import Question
from tests.load.answer import Answer
from tests.load.lines import Ended, Opened, Report

FIRST_SOUND_S = 10.0
"""A turn without an answer this long after its question has failed."""
ANSWER_S = 60.0
OPENING_S = 20.0
_PAUSE_S = (0.3, 0.9)  # that a caller makes before the next question
_PATIENCE_S = (0.3, 1.5)  # that one who interrupts has with an answer
_SETTLE_S = 2.0  # after a turn that failed, so that what is left of it does not fall into the next
_MAX_MESSAGE = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Script:
    """What all callers have in common."""

    url: str  # http://host:port
    key: str  # empty: none
    questions: Sequence[Question]
    interrupt: float  # share of the answers that are talked into
    silence_ms: int | None  # that ends a turn; None: the gateway's default


class CallFailed(Exception):
    """The call cannot go on."""


class Caller(ABC):
    """Places one call. The protocols differ in how it is opened, framed and read."""

    path: str

    def __init__(
        self,
        number: int,
        turns: int,
        script: Script,
        frames: Sequence[Sequence[bytes]],
        lateness_ms: array[float],
        tell: Callable[[Report], None],
    ) -> None:
        """`frames`: silence, then each question of the script, as the protocol sends them."""
        self._number = number
        self._turns = turns
        self._script = script
        self._frames = frames
        self._dice = random.Random(number)
        self._lateness = lateness_ms
        self._tell = tell
        self._changed = asyncio.Event()
        self._answer = Answer()
        self._gone = ""

    async def call(self) -> None:
        """Make the call and tell of it as it goes; `Ended` is told in any case, also when cancelled."""
        failure = ""
        began = time.monotonic()
        try:
            await self._prepare()
            async with connect(
                f"ws{self._script.url.removeprefix('http')}{self.path}",
                additional_headers=self.headers,
                compression=None,
                max_size=_MAX_MESSAGE,
                open_timeout=OPENING_S,
                proxy=None,
            ) as socket:
                await self._converse(socket, began)
        except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed, CallFailed) as error:
            failure = self._gone or f"{type(error).__name__}: {error}"
        finally:
            self._tell(Ended(self._number, failure))

    @property
    def headers(self) -> dict[str, str]:
        """Of each request."""
        return {"Authorization": f"Bearer {self._script.key}"} if self._script.key else {}

    # --- what the protocols differ in

    async def _prepare(self) -> None:
        """What comes before the socket. Raises CallFailed."""
        return

    @abstractmethod
    async def _open(self, socket: ClientConnection) -> None:
        """Make the call ready to be talked into."""

    def _forget(self) -> None:
        """What still comes of the answer before is not looked at."""
        return

    @abstractmethod
    def _on_message(self, message: str | bytes, now: float) -> None: ...

    @abstractmethod
    async def _heard_out(self, answer: Answer) -> bool:
        """Wait until the answer is complete; False when that takes too long."""

    # --- the call

    async def _converse(self, socket: ClientConnection, began: float) -> None:
        listening = asyncio.create_task(self._listen(socket))
        transport = socket.transport

        def write(frame: bytes) -> None:
            if not transport.is_closing():
                transport.write(frame)

        microphone = Microphone(write, self._frames[0][0], self._lateness)
        try:
            async with asyncio.timeout(OPENING_S):
                await self._open(socket)
            self._tell(Opened(self._number, (time.monotonic() - began) * 1e3))
            microphone.start()
            await asyncio.sleep(self._dice.uniform(*_PAUSE_S))
            for turn in range(self._turns):
                await self._turn(microphone, last=turn == self._turns - 1)
        finally:
            microphone.stop()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _turn(self, microphone: Microphone, *, last: bool) -> None:
        chosen = self._dice.randrange(len(self._script.questions))
        stop_from = time.monotonic() if self._answer.interrupted else None
        answer = self._answer = Answer(stop_from)
        self._forget()
        microphone.play(self._frames[1 + chosen], answer.spoken)
        seconds = self._script.questions[chosen].seconds + FIRST_SOUND_S
        if not await self._until(lambda: answer.heard or answer.over, seconds):
            answer.fail(f"no answer within {FIRST_SOUND_S:.0f} s")
        interrupts = not last and self._dice.random() < self._script.interrupt
        if interrupts and not answer.failure:
            await asyncio.sleep(self._dice.uniform(*_PATIENCE_S))
            ends_at = answer.playout.ends_at or 0.0
            answer.interrupted = not answer.over or ends_at > time.monotonic()
        if not answer.interrupted and not await self._heard_out(answer):
            answer.fail(f"the answer did not end within {ANSWER_S:.0f} s")
        if self._gone:
            answer.fail(self._gone)
        self._tell(answer.turn(self._number))
        if self._gone:
            raise CallFailed(self._gone)
        if not answer.interrupted:
            await self._listen_to_the_end(answer)

    async def _listen_to_the_end(self, answer: Answer) -> None:
        """As a person would, before asking on."""
        played = max(0.0, (answer.playout.ends_at or 0.0) - time.monotonic())
        settle = _SETTLE_S if answer.failure else 0.0
        await asyncio.sleep(played + settle + self._dice.uniform(*_PAUSE_S))

    async def _until(self, condition: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not condition() and not self._gone:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            while True:
                self._on_message(await socket.recv(), time.monotonic())
        except ConnectionClosed as closed:
            self._gone = f"the connection was closed: {closed}"
            self._changed.set()
