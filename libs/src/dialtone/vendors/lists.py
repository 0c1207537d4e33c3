"""Lists of backends: one is asked, and where that cannot answer, the next."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol, TypeVar

from dialtone.bus import WorkError
from dialtone.telemetry import get_logger
from dialtone.vendors.breaker import Breaker
from dialtone.vendors.failures import UpstreamFailure

log = get_logger(__name__)

JITTER_S = (0.05, 0.25)  # so that what was refused together does not come back together


class Listed(Protocol):
    """One of a list."""

    @property
    def breaker(self) -> Breaker | None:
        """That of its server, where it has one."""
        ...


One = TypeVar("One", bound=Listed)
Item = TypeVar("Item")


async def first_that_can(
    listed: Sequence[One],
    ask: Callable[[One], AsyncGenerator[Item, None]],
    *,
    binds: Callable[[Item], bool],
    passing_on: tuple[type[Exception], ...],
    told: Callable[[One, UpstreamFailure], Exception],
    waits: bool,
) -> AsyncGenerator[tuple[One, Item], None]:
    """Yield what the first says that can answer, and which one that is.

    One whose breaker refuses is passed over, unless it is the last. After an item that `binds` no other is
    asked. An UpstreamFailure or one of `passing_on` has the next asked; of the last, or of one that is bound,
    it is raised: the former as `told` says it. Where the last refuses without a word what it was asked, the
    failure before it is raised: that one may pass. `waits`: the last is asked once more where it wants to be,
    when it wants to be.
    """
    waited = False
    failed: tuple[One, UpstreamFailure] | None = None
    for place, one in enumerate(listed):
        is_last = place == len(listed) - 1
        if not is_last and one.breaker is not None and one.breaker.refuses:
            one.breaker.passed_over()
            continue
        bound = begun = False
        while True:
            try:
                async with aclosing(ask(one)) as answer:
                    async for item in answer:
                        begun, bound = True, bound or binds(item)
                        yield one, item
                return
            except UpstreamFailure as failure:
                if not (bound or is_last):
                    failed = one, failure
                    break
                if bound or waited or not waits or not failure.after_s:
                    raise told(one, failure) from failure
                waited = True
                await asyncio.sleep(failure.after_s + random.uniform(*JITTER_S))
            except passing_on as trouble:
                if failed and is_last and not begun and isinstance(trouble, WorkError):
                    raise told(*failed) from trouble
                if bound or is_last:
                    raise
                log.warning("going on with the next of the list", place=place, reason=str(trouble))
                break
