"""The slots of the engine, and the frames that wait in them.

Two threads meet here. The event loop feeds and fetches; the step thread takes a frame of each slot that has
one. What both touch is the queue of frames heard but not computed, under the lock of `Gathering`; what was
said goes back by way of the loop, which alone touches the rest.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence

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

FRAME_S = FRAME / SAMPLE_RATE
# A step begins no sooner after the last one's than it takes twice over: then half of the time is left for
# what else the device and the processors have to do. Where steps are short, a frame waits less than 80 ms for
# its own.
_SHARE = 0.5


class EngineSlot:
    """One call's place. Its row in the batch begins anew with its first frame."""

    def __init__(self, gathering: Gathering, row: int, ahead: int) -> None:
        self.row = row
        self.begun = False
        """Whether a step has taken a frame of it; the step thread's."""
        self.frames: deque[NDArray[np.float32]] = deque()
        """Under the gathering's lock."""
        self._gathering = gathering
        self._ahead = ahead
        self._pending = 0  # fed, and not fetched
        self._said: deque[Said] = deque()
        self._ended: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None

    def feed(self, frame: NDArray[np.float32]) -> None:
        """See `engine.Slot`."""
        if self._ended is not None:
            raise self._ended
        if frame.shape != (FRAME,) or frame.dtype != np.float32:
            raise ValueError(f"a frame is [{FRAME}] of float32, not {list(frame.shape)} of {frame.dtype}")
        if not np.isfinite(frame).all():
            # It would stay in the call's past for good.
            raise ValueError("a frame holds what is no number")
        if self._pending >= self._ahead:
            raise TooFarAhead(f"{self._pending} frames wait already")
        self._pending += 1
        self._gathering.put(self, frame)

    async def next(self) -> Said:
        """See `engine.Slot`."""
        while not self._said:
            if self._ended is not None:
                raise self._ended
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._pending -= 1
        return self._said.popleft()

    def close(self) -> None:
        """See `engine.Slot`."""
        self.end(SlotClosed("the slot is closed"))
        self._said.clear()
        self._gathering.remove(self)

    def deliver(self, said: Said) -> None:
        """Give the caller what a step said; nothing where the slot has ended meanwhile."""
        if self._ended is None:
            self._said.append(said)
            self._wake()

    def end(self, why: Exception) -> None:
        """Raise `why` from now on, after what was said before; the first reason stays."""
        if self._ended is None:
            self._ended = why
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Gathering:
    """The open slots, and when there is a step to take for them."""

    def __init__(self, rows: int, ahead: int) -> None:
        self._ahead = ahead
        self._free = list(range(rows - 1, -1, -1))
        self._open: dict[int, EngineSlot] = {}
        self._changed = threading.Condition()
        self._over = False
        self._began = -1.0
        self._step_s = 0.0

    @property
    def free(self) -> int:
        """Rows without a slot."""
        return len(self._free)

    def open(self) -> EngineSlot:
        """A slot of a free row. Raises NoFreeSlot."""
        with self._changed:
            if not self._free:
                raise NoFreeSlot(f"all {len(self._open)} slots have a call")
            row = self._free.pop()
            self._open[row] = slot = EngineSlot(self, row, self._ahead)
            metrics.OPEN_SLOTS.set(len(self._open))
            return slot

    def remove(self, slot: EngineSlot) -> None:
        """Free a slot's row; a step that is under way finds nobody to tell."""
        with self._changed:
            if self._open.get(slot.row) is slot:
                del self._open[slot.row]
                self._free.append(slot.row)
                slot.frames.clear()
                metrics.OPEN_SLOTS.set(len(self._open))
                self._changed.notify()

    def put(self, slot: EngineSlot, frame: NDArray[np.float32]) -> None:
        """Let a frame wait for its step."""
        with self._changed:
            slot.frames.append(frame)
            self._changed.notify()

    def slots(self) -> list[EngineSlot]:
        """Those that are open."""
        with self._changed:
            return list(self._open.values())

    def end(self) -> None:
        """Let `take` return nothing from now on."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def took(self, seconds: float) -> None:
        """Note how long a step was."""
        self._step_s = seconds if not self._step_s else 0.8 * self._step_s + 0.2 * seconds

    def take(self) -> tuple[list[tuple[EngineSlot, NDArray[np.float32]]], int] | None:
        """Wait for the next step (blocking): a frame of each slot that has one, and the number of open slots.

        It is due when every open slot has a frame, since nothing better can come; when one has two, since it
        is behind; and else some time after the last. None: there will be no more.
        """
        with self._changed:
            while not self._over:
                waiting = [slot for slot in self._open.values() if slot.frames]
                wait_s = self._until_due(waiting)
                if waiting and wait_s <= 0:
                    self._began = time.monotonic()
                    return [(slot, slot.frames.popleft()) for slot in waiting], len(self._open)
                self._changed.wait(wait_s if waiting else None)
            return None

    def _until_due(self, waiting: Sequence[EngineSlot]) -> float:
        if len(waiting) == len(self._open) or any(len(slot.frames) > 1 for slot in waiting):
            return 0.0
        return self._began + min(FRAME_S, self._step_s / _SHARE) - time.monotonic()


def fail_all(slots: Sequence[EngineSlot], why: EngineFailed) -> None:
    """End every one of the slots with the engine's failure."""
    for slot in slots:
        slot.end(why)
