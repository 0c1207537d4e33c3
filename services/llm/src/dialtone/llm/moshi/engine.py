"""What a Moshi worker asks of its engine. Without torch, so that an engine that needs none can stand in.

An engine advances all of its slots together, one frame of 80 ms a step. A slot whose next frame has not come
is frozen for that step: nothing of its call is lost or shifted, and where frames wait it catches up by steps
that need not wait for the clock. (Silence in the place of late audio would be heard as a pause of the caller,
and the call would be behind by as much for as long as it lasts.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 24_000
"""Hz, of what is fed and of what is said: one channel of float32 from -1 to 1."""

FRAME = 1920
"""Samples of one step: 80 ms."""


class NoFreeSlot(Exception):
    """Every slot has a call."""


class TooFarAhead(Exception):
    """A slot was fed more frames than it keeps for a call. None of the frame was taken; the slot goes on."""


class SlotClosed(Exception):
    """The slot was closed, here or by the engine's own close."""


class CannotLoad(Exception):
    """The engine cannot start; the message names the setting and the file to look at."""


class EngineFailed(Exception):
    """The engine cannot go on: all of its slots are lost, and the process is to be replaced."""


@dataclass(frozen=True, slots=True)
class Said:
    """What Moshi said in the step that heard one frame."""

    pcm: NDArray[np.float32] | None
    """`[FRAME]`; None where the step had no output yet, which is the first of a slot."""
    text: str
    """Its words, in step with its audio; "" for a step of padding. A word begins with its space."""
    text_token: int | None
    """The token of `text`, None for padding and where there is no output yet."""


class Slot(Protocol):
    """One call's place in the batch. Used from the event loop's thread only."""

    def feed(self, frame: NDArray[np.float32]) -> None:
        """Take the call's next frame, `[FRAME]` of float32; it is kept, not copied.

        Raises TooFarAhead when the slot's queue is full, ValueError for another shape or type, SlotClosed,
        and EngineFailed.
        """

    async def next(self) -> Said:
        """One `Said` for every frame fed, in their order; waits for the next. One caller at a time.

        Raises EngineFailed when the engine ends in mid-call, and SlotClosed. What was said before is given
        first.
        """

    def close(self) -> None:
        """Give the slot back; nothing of the call is left in it for the next. A second call does nothing."""


class Engine(Protocol):
    """A model and its slots. `start` comes first; used from the event loop's thread only."""

    @property
    def slots(self) -> int:
        """Calls at once, at most."""

    @property
    def free(self) -> int:
        """Slots that can be opened now; 0 before `start` and after a failure."""

    async def start(self) -> None:
        """Load and warm up. When this returns, the first step is as quick as any.

        Raises CannotLoad.
        """

    def open(self) -> Slot:
        """A slot without a past. Raises NoFreeSlot, and EngineFailed after a failure."""

    async def failed(self) -> EngineFailed:
        """Wait until the engine cannot go on, and say why. Returns at once when it has failed already."""

    async def close(self) -> None:
        """End the steps and give back the memory. Open slots raise SlotClosed."""
