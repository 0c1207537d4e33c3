"""One fault of each kind while three callers talk: nothing is lost, and nothing is heard twice.

The others are in `make chaos`, with figures.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from _pytest.mark import ParameterSet

from tests.chaos.faults import Fault, all_faults
from tests.chaos.inside import Inside
from tests.chaos.machines import Stack, running_stack
from tests.chaos.storm import Storm, storming

CALLS = 3
# In the default run; each is a turn of about five seconds.
FAST = (
    "killed (asr, listening)",
    "killed (tts, speaking)",
    "frozen (llm, answering)",
    "asked to leave (asr, listening)",
    "broker restarted (thinking)",
)
pytestmark = pytest.mark.asyncio(loop_scope="module")


def cases() -> list[ParameterSet]:
    """The others take a quarter of an hour."""
    return [
        pytest.param(fault, id=str(fault), marks=[] if str(fault) in FAST else [pytest.mark.chaos])
        for fault in all_faults()
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with running_stack(tmp_path_factory.mktemp("chaos")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def inside(stack: Stack) -> Inside:
    return await Inside.of(stack)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def storm(stack: Stack, inside: Inside) -> AsyncIterator[Storm]:
    del inside  # made before the first call
    async with storming(stack, calls=CALLS, seed=1) as calls:
        yield calls


@pytest.mark.parametrize("fault", cases())
async def test_no_word_and_no_sentence_is_lost_or_doubled(storm: Storm, fault: Fault) -> None:
    outcome = await storm.strike(fault)
    assert outcome.hit, "the fault hit nobody"
    assert not outcome.unproven
    assert [verdict.wrong for verdict in (*outcome.hit, *outcome.beside) if verdict.wrong] == []


async def test_nothing_is_left_inside_when_the_calls_are_over(storm: Storm, inside: Inside) -> None:
    await storm.end()
    assert await inside.left() == {}


async def test_the_fast_ones_are_among_them() -> None:
    assert set(FAST) <= {str(fault) for fault in all_faults()}
