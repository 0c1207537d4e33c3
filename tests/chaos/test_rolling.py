"""Services are restarted under callers who talk on: nothing is lost, and the history is as it was heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.gateways import two_of_each
from tests.chaos.rolling import SERVICES, restart_under, wrong_of

CALLS = 4
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_rolling_restart_costs_no_turn(service: str, tmp_path: Path) -> None:
    async with two_of_each(tmp_path) as gateways:
        outcome = await restart_under(gateways, [service], CALLS)
    assert wrong_of(outcome) == []
    (roll,) = outcome.rolls
    assert outcome.of(roll), "nobody talked meanwhile"
    # Who leaves when a restart comes to the second gateway, has been sent there by the first.
    assert (len(outcome.returns_s) >= CALLS) == (service == "gateway")
