"""A Moshi worker whose engine cannot go on once a call has been heard for a second.

It runs as the service does: python -m tests.llm.moshi.failing
"""

import numpy as np
from numpy.typing import NDArray

from dialtone.bus import Stage
from dialtone.llm.moshi.service import loaded
from dialtone.llm.moshi.settings import MoshiSettings
from dialtone.llm.moshi.simulated import SimulatedEngine, SimulatedSlot
from dialtone.settings import read_settings
from dialtone.worker import Loaded, run_worker

_FRAMES = 13


class FailingEngine(SimulatedEngine):
    """Fails as a GPU does that is out of memory."""

    def open(self) -> SimulatedSlot:
        """As `Engine.open`."""
        slot = super().open()
        feed, heard = slot.feed, 0

        def feed_and_fail(frame: NDArray[np.float32]) -> None:
            nonlocal heard
            heard += 1
            if heard == _FRAMES:
                self.fail("no memory left")
            feed(frame)

        slot.feed = feed_and_fail  # type: ignore[method-assign] # a slot has no hook of its own for this
        return slot


if __name__ == "__main__":
    settings = read_settings(MoshiSettings)

    async def load() -> Loaded:
        return await loaded(settings, FailingEngine(settings.moshi_slots))

    run_worker(service="moshi", stage=Stage.MOSHI, settings=settings, load=load)
