"""Who is cancelled while a store answers stays cancelled: a task that goes on holds up every shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dialtone.gateway.stores import Stores
from tests.stores.conftest import message, record

_STEPS = 40  # of the event loop; more than any of these takes

Work = Callable[[Stores], Awaitable[Any]]


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda stores: stores.link.run(lambda redis: redis.ping()), id="a command"),
        pytest.param(lambda stores: stores.sessions.get("default", "sess_1"), id="a session read"),
        pytest.param(lambda stores: stores.archive.get("default", "sess_1"), id="a row read"),
    ],
)
async def test_a_cancellation_is_never_lost(stores: Stores, work: Work) -> None:
    await stores.sessions.create(record("sess_1", "default", message("a")))
    await stores.link.run(lambda redis: redis.ping())
    for steps in range(_STEPS):

        async def working() -> None:
            await work(stores)

        task = asyncio.create_task(working())
        for _ in range(steps):
            await asyncio.sleep(0)
        taken = task.cancel()
        await asyncio.wait({task})
        assert task.cancelled() is taken, f"lost after {steps} steps"


async def test_closing_ends_while_copies_are_being_made(stores: Stores) -> None:
    for steps in range(15):
        session_id = f"sess_{steps}"
        await stores.sessions.create(record(session_id, "default", message("a")))
        await stores.link.client.flushall()
        await stores.sessions.put_item("default", session_id, message("b"), "a")  # no copy: one is to be made
        for _ in range(steps):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await stores.sessions.close(deadline_s=1)
        stores.sessions.start()
