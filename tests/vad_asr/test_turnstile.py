"""However far the legs of a process are behind, each gets its turn and everything else does, too."""

import asyncio
import itertools

import numpy as np
import pytest

from dialtone.vad_asr.service import Ears
from dialtone.vad_asr.turnstile import Turnstile
from tests.fixtures.speech import silence, voice_like
from tests.vad_asr.ears_call import EarsCall, server_vad


async def test_legs_take_turns_and_others_run_between_them() -> None:
    turnstile = Turnstile(longest=0.0)
    done: list[str] = []

    async def leg(name: str) -> None:
        for _ in range(3):
            await turnstile.enter()
            done.append(name)

    async def heartbeat() -> None:
        while True:
            done.append("-")
            await asyncio.sleep(0)

    beating = asyncio.create_task(heartbeat())
    await asyncio.gather(*(leg(name) for name in "abcd"))
    beating.cancel()
    assert "".join(done).replace("-", "") == "abcd" * 3
    assert all("-" in pair for pair in itertools.pairwise(done))


async def test_a_long_piece_of_work_queues_again_when_its_time_is_over() -> None:
    turnstile = Turnstile(longest=0.0)
    done: list[str] = []

    async def leg(name: str) -> None:
        await turnstile.enter()
        for _ in range(2):
            done.append(name)
            await turnstile.breathe()

    await asyncio.gather(leg("a"), leg("b"))
    assert done == ["a", "b", "a", "b"]


async def test_who_has_time_is_not_held_up() -> None:
    turnstile = Turnstile(longest=60.0)
    for _ in range(10):
        with pytest.raises(StopIteration):  # it ran to its end
            turnstile.enter().send(None)


async def test_a_leg_that_is_cancelled_while_it_waits_does_not_stop_the_others() -> None:
    turnstile = Turnstile(longest=0.0)
    legs = [asyncio.create_task(turnstile.enter()) for _ in range(3)]
    await asyncio.sleep(0)
    legs[0].cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(*legs[1:])


async def test_what_is_heard_does_not_depend_on_how_far_behind_a_leg_is(simulated_ears: Ears) -> None:
    audio = np.concatenate([silence(0.4), voice_like(0.7), silence(0.6), voice_like(0.5), silence(0.6)])
    behind = EarsCall(server_vad(300)).start(simulated_ears.handle)
    behind.say(audio)
    await behind.finish()
    in_time = EarsCall(server_vad(300)).start(simulated_ears.handle)
    for at in range(0, len(audio), 320):
        in_time.say(audio[at : at + 320])
        await in_time.lease_idle()
    await in_time.finish()
    assert len(behind.stopped) == 2
    assert (behind.started, behind.stopped) == (in_time.started, in_time.stopped)
