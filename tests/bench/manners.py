"""How callers behave: how long they wait for an answer, and before they ask on."""

from __future__ import annotations

import asyncio
import random
import time

from tests.bench.playout import Playout

FIRST_SOUND_S = 10.0
"""A turn without an answer this long after its question has failed."""
ANSWER_S = 60.0
"""An answer that is not over by then has failed."""
_PAUSE_S = (0.3, 0.9)  # that a caller makes before a question
_SETTLE_S = 2.0  # after a turn that failed, so that what is left of it does not fall into the next


async def pause(dice: random.Random) -> None:
    """Before a question."""
    await asyncio.sleep(dice.uniform(*_PAUSE_S))


async def listen_to_the_end(playout: Playout, dice: random.Random, *, failed: bool) -> None:
    """Hear the answer played, as a person would, before asking on; of a `failed` one more may come."""
    played = max(0.0, (playout.ends_at or 0.0) - time.monotonic())
    await asyncio.sleep(played + (_SETTLE_S if failed else 0.0))
    await pause(dice)
