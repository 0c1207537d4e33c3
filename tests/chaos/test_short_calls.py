"""However calls end, nothing of them is left. Whether a stack grows with them takes a thousand to tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.endings import LATE, LIMITS, SOON
from tests.chaos.machines import running_stack
from tests.chaos.short_calls import soak


@pytest.mark.timeout(300)  # a machine that has other things to do takes ten times as long
async def test_nothing_is_left_of_calls_however_they_end(tmp_path: Path) -> None:
    async with running_stack(tmp_path, proxied=False, settings=LIMITS) as stack:
        soaked = await soak(stack, SOON, first=24, calls=36, at_once=12, seed=1)
    assert soaked.wrong == []
    assert soaked.left == {}


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_nor_of_hundreds_some_of_whose_clients_said_nothing_or_stood_still(tmp_path: Path) -> None:
    async with running_stack(tmp_path, proxied=False, settings=LIMITS) as stack:
        soaked = await soak(stack, SOON | LATE, first=60, calls=200, at_once=20, seed=1)
    assert soaked.wrong == []
    assert soaked.left == {}
