"""An engine without a model, for the simulated stages: it answers each burst of sound with a tone and words.

Deterministic: after a burst and a pause it says "This is simulated answer N." over 1.6 s of a tone, N
counting from 1 in each slot. It listens while it speaks: what is said to it meanwhile does not interrupt it,
and is answered next.
"""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np
from numpy.typing import NDArray

from dialtone.llm.moshi import metrics
from dialtone.llm.moshi.engine import (
    FRAME,
    SAMPLE_RATE,
    EngineFailed,
    NoFreeSlot,
    Said,
    SlotClosed,
    TooFarAhead,
)

QUEUE_FRAMES = 64
BURST_FRAMES = 3
"""240 ms of sound is somebody who speaks."""
PAUSE_FRAMES = 5
"""400 ms of silence after it is a question asked."""
WORD_FRAMES = 4
ANSWER_FRAMES = 5 * WORD_FRAMES
TONE_HZ = 225.0
"""18 periods a frame, so that frames join."""
_HEARD_POWER = 10 ** (-45.0 / 10)
_SILENCE = np.zeros(FRAME, dtype=np.float32)
_TONE = (0.2 * np.sin(2 * np.pi * TONE_HZ * np.arange(FRAME) / SAMPLE_RATE)).astype(np.float32)


def words_of(number: int) -> tuple[str, ...]:
    """The words of the answer of that number, each with its space."""
    return (" This", " is", " simulated", " answer", f" {number}.")


class _Answers:
    """What a slot says, frame by frame."""

    def __init__(self) -> None:
        self._steps = 0
        self._sound = self._pause = 0
        self._asked = 0
        self._answered = 0
        self._left: deque[str] = deque()

    def step(self, frame: NDArray[np.float32]) -> Said:
        self._steps += 1
        self._listen(float(np.dot(frame, frame)) / FRAME > _HEARD_POWER)
        if self._steps == 1:
            return Said(None, "", None)  # as the model: its sound is a step behind
        if not self._left and self._answered < self._asked:
            self._answered += 1
            for word in words_of(self._answered):
                self._left.extend([word, *[""] * (WORD_FRAMES - 1)])
        if not self._left:
            return Said(_SILENCE, "", None)
        word = self._left.popleft()
        return Said(_TONE, word, len(word) or None)

    def _listen(self, loud: bool) -> None:
        if loud:
            self._sound, self._pause = self._sound + 1, 0
            return
        self._pause += 1
        if self._pause == PAUSE_FRAMES:
            self._asked += self._sound >= BURST_FRAMES
            self._sound = 0


class SimulatedSlot:
    """A slot of `SimulatedEngine`."""

    def __init__(self, engine: SimulatedEngine) -> None:
        self._engine = engine
        self._answers = _Answers()
        self._said: deque[Said] = deque()
        self._news = asyncio.Event()
        self._closed = False

    def feed(self, frame: NDArray[np.float32]) -> None:
        """As `Slot.feed`."""
        self._check()
        if frame.shape != (FRAME,) or frame.dtype != np.float32:
            raise ValueError(f"a frame is {FRAME} of float32, not {frame.shape} of {frame.dtype}")
        if len(self._said) >= QUEUE_FRAMES:
            raise TooFarAhead(f"{QUEUE_FRAMES} frames wait")
        self._said.append(self._answers.step(frame))
        self._news.set()

    async def next(self) -> Said:
        """As `Slot.next`."""
        while not self._said:
            self._check()
            self._news.clear()
            await self._news.wait()
        return self._said.popleft()

    def close(self) -> None:
        """As `Slot.close`."""
        if not self._closed:
            self._closed = True
            self._engine.left(self)
        self.wake()

    def wake(self) -> None:
        """Have a waiting `next` look at the slot and the engine again."""
        self._news.set()

    def _check(self) -> None:
        if self._engine.failure is not None:
            raise self._engine.failure
        if self._closed:
            raise SlotClosed("the slot is closed")


class SimulatedEngine:
    """Stands in for an engine with a model: a step takes no time, and is made when its frame comes."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._started = False
        self._taken: set[SimulatedSlot] = set()
        self._failed = asyncio.Event()
        self.failure: EngineFailed | None = None

    @property
    def slots(self) -> int:
        """As `Engine.slots`."""
        return self._slots

    @property
    def free(self) -> int:
        """As `Engine.free`."""
        return self._slots - len(self._taken) if self._started and self.failure is None else 0

    async def start(self) -> None:
        """As `Engine.start`; there is nothing to load."""
        self._started = True

    def open(self) -> SimulatedSlot:
        """As `Engine.open`."""
        if self.failure is not None:
            raise self.failure
        if not self.free:
            raise NoFreeSlot(f"all {self._slots} slots have calls")
        slot = SimulatedSlot(self)
        self._taken.add(slot)
        metrics.OPEN_SLOTS.set(len(self._taken))
        return slot

    def left(self, slot: SimulatedSlot) -> None:
        """A slot was closed."""
        self._taken.discard(slot)
        metrics.OPEN_SLOTS.set(len(self._taken))

    def fail(self, reason: str) -> None:
        """Fail as an engine does that cannot go on."""
        self.failure = EngineFailed(reason)
        self._failed.set()
        for slot in self._taken:
            slot.wake()

    async def failed(self) -> EngineFailed:
        """As `Engine.failed`."""
        await self._failed.wait()
        assert self.failure is not None
        return self.failure

    async def close(self) -> None:
        """As `Engine.close`."""
        for slot in list(self._taken):
            slot.close()
