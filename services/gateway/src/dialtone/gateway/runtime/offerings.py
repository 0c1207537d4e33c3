"""What sessions may name: the workers know, and are asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from dialtone.bus import Bus, BusUnavailable, NoResponders, Stage, offers_subject
from dialtone.telemetry import get_logger
from dialtone.v1.offers_pb2 import Offer, Offers

_ANSWER_S = 1.0
_FRESH_S = 5.0  # however many clients ask, workers are asked no more often
_AGAIN_S = 2.0  # nor than this when they did not answer: else all who ask wait, one after the other
log = get_logger(__name__)


class NobodyAnswers(Exception):
    """What a stage has cannot be known now: the broker is away, or its workers are slow."""


class Offerings:
    """The names that the workers of each stage serve, as one of them says."""

    def __init__(self, bus: Bus, pool: str) -> None:
        self._bus = bus
        self._pool = pool
        self._known: dict[Stage, tuple[float, list[Offer]]] = {}
        self._unanswered: dict[Stage, float] = {}  # when
        self._asking = asyncio.Lock()

    async def of(self, stage: Stage) -> Sequence[Offer]:
        """What the stage's workers have, at most five seconds ago; nothing where none works.

        Raises NobodyAnswers.
        """
        async with self._asking:
            asked_at, offers = self._known.get(stage, (-_FRESH_S, []))
            if time.monotonic() - asked_at >= _FRESH_S:
                if time.monotonic() - self._unanswered.get(stage, -_AGAIN_S) < _AGAIN_S:
                    raise NobodyAnswers(stage)
                try:
                    offers = await self._ask(stage)
                except NobodyAnswers:
                    self._unanswered[stage] = time.monotonic()
                    raise
                self._known[stage] = time.monotonic(), offers
        return offers

    async def _ask(self, stage: Stage) -> list[Offer]:
        try:
            answer = await self._bus.request(offers_subject(stage, self._pool), b"", timeout=_ANSWER_S)
        except NoResponders:
            return []
        except (TimeoutError, BusUnavailable) as error:
            log.warning("workers do not say what they have", stage=stage, error=str(error))
            raise NobodyAnswers(stage) from error
        said = Offers()
        try:
            said.ParseFromString(answer)
        except Exception as error:
            log.warning("a worker's offers cannot be read", stage=stage, error=str(error))
            raise NobodyAnswers(stage) from error
        return list(said.offers)
