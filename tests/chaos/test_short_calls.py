"""However calls end, nothing of them is left; and a stack does not grow with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.endings import LATE, LIMITS, SOON
from tests.chaos.machines import running_stack
from tests.chaos.short_calls import MIB_PER_100_CALLS, soak


@pytest.mark.timeout(300)  # a machine that has other things to do takes ten times as long
async def test_nothing_is_left_of_calls_that_ended_in_every_way(tmp_path: Path) -> None:
    async with running_stack(tmp_path, proxied=False, settings=LIMITS) as stack:
        soaked = await soak(stack, SOON, first=24, calls=36, at_once=12, seed=1)
    assert soaked.wrong == []
    assert soaked.left == {}


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_nor_of_hundreds_and_no_process_grows_with_them(tmp_path: Path) -> None:
    async with running_stack(tmp_path, proxied=False, settings=LIMITS) as stack:
        soaked = await soak(stack, SOON | LATE, first=100, calls=300, at_once=20, seed=1)
    assert soaked.wrong == []
    assert soaked.left == {}
    assert max(soaked.mib_per_100_calls.values()) < MIB_PER_100_CALLS, soaked.mib_per_100_calls
