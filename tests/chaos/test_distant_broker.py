"""What a broker that is far away costs a turn: how often what is said crosses the network in sequence.

Each process has the same way to the broker, so a message from one process to another takes two of these.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.chaos.caller import Caller, calling, judge
from tests.chaos.machines import Stack, running_stack

WAY_S = 0.15  # to the broker, and back: more, and leases could not be kept
CROSSINGS = 6  # sound, transcript; turn, text; sentence, sound
PATIENCE_S = 0.05  # until a worker begins without leave, twice
TRIES = 4

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.chaos]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running_stack(Path(tmp_path_factory.mktemp("distant"))) as running:
        yield running


async def quickest(caller: Caller) -> float:
    """Seconds from the last word to the answer, of the turn that the machine disturbed least."""
    answers = []
    for _ in range(TRIES):
        turn = await caller.ask()
        assert (await judge(turn)).wrong == ()
        answers.append(turn.first_sound_at - turn.spoken_at)
    return min(answers)


async def test_a_turn_waits_for_six_messages_in_sequence_and_no_more(stack: Stack) -> None:
    async with calling(stack.gateway_url, seed=14) as caller:
        near = await quickest(caller)
        for machine in stack.machines:
            machine.network.delay_s = WAY_S
        far = await quickest(caller)
    waited = far - near - 2 * PATIENCE_S
    message_s = 2 * WAY_S
    print(f"near {near:.3f} s, far {far:.3f} s: {(far - near) / message_s:.2f} messages of {message_s} s")
    assert CROSSINGS - 0.7 < waited / message_s < CROSSINGS + 0.7
