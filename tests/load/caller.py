"""One call: questions at the pace of speech, answers listened to, now and then talked into or not awaited."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.line import OPENING_S, CallFailed, Line
from tests.bench.manners import ANSWER_S, FIRST_SOUND_S, listen_to_the_end, pause
from tests.bench.microphone import Microphone
from tests.bench.question import Question
from tests.load.answer import Answer
from tests.load.lines import Ended, Opened, Report

_PATIENCE_S = (0.3, 1.5)  # that one who interrupts has with an answer
_LEAVES_S = 4.0  # after the question's end, at the latest, who hangs up in the middle


@dataclass(frozen=True, slots=True)
class Script:
    """What all callers have in common."""

    url: str  # http://host:port
    key: str  # empty: none
    questions: Sequence[Question]
    interrupt: float  # share of the answers that are talked into
    hang_up: float  # share of the calls that end in the middle of a turn
    silence_ms: int | None  # that ends a turn; None: the gateway's default


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
        self._answer = Answer()
        self._line = Line(f"ws{script.url.removeprefix('http')}{self.path}", self._on_message, self.headers)

    async def call(self) -> None:
        """Make the call and tell of it as it goes; `Ended` is told in any case, also when cancelled."""
        failure, hung_up = "", False
        began = time.monotonic()
        try:
            await self._prepare()
            async with self._line.dialled():
                hung_up = await self._converse(began)
        except CallFailed as failed:
            failure = str(failed)
        finally:
            self._tell(Ended(self._number, failure, hung_up))

    @property
    def headers(self) -> Mapping[str, str]:
        """Of each request."""
        return {"Authorization": f"Bearer {self._script.key}"} if self._script.key else {}

    # --- what the protocols differ in

    async def _prepare(self) -> None:
        """What comes before the socket. Raises CallFailed."""
        return

    @abstractmethod
    async def _open(self) -> None:
        """Make the call ready to be talked into. Raises CallFailed."""

    def _forget(self) -> None:
        """What still comes of the answer before is not looked at."""
        return

    @abstractmethod
    def _on_message(self, message: str | bytes, now: float) -> bool:
        """Take in what the gateway says; whether anybody may wait for it."""

    @abstractmethod
    async def _heard_out(self, answer: Answer) -> bool:
        """Wait until the answer is complete; False when that takes too long. Raises CallFailed."""

    # --- the call

    async def _converse(self, began: float) -> bool:
        """All turns; whether the caller hung up in the middle of the last."""
        microphone = Microphone(self._line.write, self._frames[0][0], self._lateness)
        leaves = self._dice.random() < self._script.hang_up
        try:
            async with asyncio.timeout(OPENING_S):
                await self._open()
            self._tell(Opened(self._number, (time.monotonic() - began) * 1e3))
            microphone.start()
            await pause(self._dice)
            for turn in range(self._turns):
                last = turn == self._turns - 1
                if leaves and last:
                    await self._leave(microphone)
                else:
                    await self._turn(microphone, last=last)
        finally:
            microphone.stop()
        return leaves

    async def _turn(self, microphone: Microphone, *, last: bool) -> None:
        stop_from = time.monotonic() if self._answer.interrupted else None
        answer = self._answer = Answer(stop_from)
        self._forget()
        try:
            await self._ask(
                microphone, answer, interrupts=not last and self._dice.random() < self._script.interrupt
            )
        except CallFailed as failed:
            answer.fail(str(failed))
            self._tell(answer.turn(self._number))
            raise
        self._tell(answer.turn(self._number))
        if not answer.interrupted:
            await listen_to_the_end(answer.playout, self._dice, failed=bool(answer.failure))

    async def _ask(self, microphone: Microphone, answer: Answer, *, interrupts: bool) -> None:
        """Speak a question and hear its answer, or as much of it as the caller has patience for."""
        seconds = self._speak(microphone, answer.spoken)
        if not await self._line.until(lambda: answer.heard or answer.over, seconds + FIRST_SOUND_S):
            answer.fail(f"no answer within {FIRST_SOUND_S:.0f} s")
        if interrupts and not answer.failure:
            await asyncio.sleep(self._dice.uniform(*_PATIENCE_S))
            answer.interrupted = not answer.over or (answer.playout.ends_at or 0.0) > time.monotonic()
        if not answer.interrupted and not await self._heard_out(answer):
            answer.fail(f"the answer did not end within {ANSWER_S:.0f} s")

    async def _leave(self, microphone: Microphone) -> None:
        """Hang up between the question's first word and the answer's end, at times without a word."""
        self._answer = Answer()
        self._forget()
        seconds = self._speak(microphone, self._answer.spoken)
        await asyncio.sleep(self._dice.uniform(0.0, seconds + _LEAVES_S))
        if self._line.gone:
            raise CallFailed(self._line.gone)
        if self._dice.random() < 0.5:
            self._line.cut()

    def _speak(self, microphone: Microphone, on_spoken: Callable[[float], None]) -> float:
        """Begin a question; how long it is in seconds."""
        chosen = self._dice.randrange(len(self._script.questions))
        microphone.play(self._frames[1 + chosen], on_spoken)
        return self._script.questions[chosen].seconds
