"""Keeps what a gateway's calls have claimed: its beat, each few seconds, and now and then the claims.

The claims are renewed long before they run out, and at once when Redis may have forgotten them or a gateway
that stood still may have lost them: its beat says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from dialtone.gateway.runtime.ownership import Ownership
from dialtone.gateway.stores import CallRegistry, Claim, StoreUnavailable
from dialtone.telemetry import get_logger

log = get_logger(__name__)

RENEWED_AT_ONCE = 200  # claims: for about a millisecond of Redis, which does nothing else meanwhile
AGAIN_S = 0.1  # between tries, of what can fail at once


class ClaimKeeper:
    """Of one gateway. `run` does all of it."""

    def __init__(
        self,
        registry: CallRegistry,
        owners: Ownership,
        *,
        claims: Callable[[], list[Claim]],
        holds: Callable[[str], bool],
        displaced: Callable[[str], None],
    ) -> None:
        """`claims` gives those of all calls; `holds` says whether a call, by its id, goes on; `displaced` is
        told of a call whose session another one has."""
        self._registry = registry
        self._owners = owners
        self._claims = claims
        self._holds = holds
        self._displaced = displaced
        self._renew_at = 0.0  # monotonic
        self._kept = asyncio.Event()  # since sessions were last given back

    async def run(self) -> None:
        """Keep them, and give back what is owed, until cancelled."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._keep_all())
            both.create_task(self._give_back())

    async def _keep_all(self) -> None:
        while True:
            try:
                await self._keep()
                self._kept.set()
                await asyncio.sleep(self._registry.beat_s / 3)
            except StoreUnavailable as error:  # calls that live go on without it
                log.warning("claims of sessions were not renewed", error=str(error))
                await self._registry.wait_up()
                await asyncio.sleep(AGAIN_S)
            except Exception:  # the calls still need the next beat
                log.exception("claims of sessions were not renewed")
                await asyncio.sleep(self._registry.beat_s / 3)

    async def _keep(self) -> None:
        if not await self._registry.beat():
            log.warning("the beat of this gateway was lost: claims of sessions are renewed")
            self._renew_at = 0.0
        if time.monotonic() >= self._renew_at:
            began = time.monotonic()
            claims = self._claims()
            for first in range(0, len(claims), RENEWED_AT_ONCE):
                await self._renew(claims[first : first + RENEWED_AT_ONCE])
            self._renew_at = began + self._registry.claim_s / 3

    async def _give_back(self) -> None:
        # Apart from the beat: thousands of sessions, or a few that wait for SQL, take longer than one lasts.
        while True:
            await self._kept.wait()
            self._kept.clear()
            try:
                await self._owners.release_owed()
            except StoreUnavailable as error:
                log.warning("sessions are not given back yet", error=str(error))
            except Exception:  # those of other calls are still to be given back
                log.exception("sessions were not given back")

    async def _renew(self, claims: Sequence[Claim]) -> None:
        """Renew those of calls that are not over since the round began."""
        living = [claim for claim in claims if self._holds(claim.call_id)]
        for claim, held in zip(living, await self._registry.renew(living), strict=True):
            if not self._holds(claim.call_id):
                # It ended meanwhile, and the renewal may have come after its release.
                await self._owners.release((claim.tenant, claim.session_id), claim.call_id)
            elif not held:
                log.warning("a session was claimed by another gateway", call_id=claim.call_id)
                self._displaced(claim.call_id)
