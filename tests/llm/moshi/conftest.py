"""A call with a Moshi leg, and an engine without a model."""

from collections.abc import AsyncIterator

import pytest

from dialtone.bus import Bus, Stage
from dialtone.llm.moshi.simulated import SimulatedEngine
from tests.llm.moshi.moshi_call import MoshiCall


@pytest.fixture
async def engine() -> AsyncIterator[SimulatedEngine]:
    started = SimulatedEngine(2)
    await started.start()
    yield started
    await started.close()


@pytest.fixture
async def call(bus: Bus) -> AsyncIterator[MoshiCall]:
    await bus.ensure_stage(Stage.MOSHI, "sft")
    opened = MoshiCall(bus)
    await opened.side.open()
    yield opened
    await opened.side.close()
