"""Tells gateways what this worker has that a session may name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dialtone.bus import Bus, BusError, BusUnavailable, Message, Stage, offers_subject
from dialtone.telemetry import get_logger
from dialtone.v1.offers_pb2 import Offer, Offers

_WAITING = 64  # questions; gateways ask seldom, and ask again
_AGAIN_S = 1.0
log = get_logger(__name__)


async def tell_offers(bus: Bus, stage: Stage, pool: str, offers: Sequence[Offer]) -> None:
    """Answer gateways, one worker of the pool each of them, until cancelled."""
    while True:
        try:
            await _tell(bus, stage, pool, offers)
        except Exception:  # nobody waits for this task: it has to say so itself, and its calls go on
            log.exception("gateways are not told what this worker has", stage=stage, pool=pool)
            await asyncio.sleep(_AGAIN_S)


async def _tell(bus: Bus, stage: Stage, pool: str, offers: Sequence[Offer]) -> None:
    answer = Offers(offers=offers).SerializeToString()
    asked: asyncio.Queue[str] = asyncio.Queue(_WAITING)

    def on_question(message: Message) -> None:
        if message.reply and not asked.full():
            asked.put_nowait(message.reply)

    while True:
        await bus.wait_ready()
        try:
            subscription = await bus.subscribe(offers_subject(stage, pool), on_question, queue="offers")
            break
        except BusUnavailable:
            continue  # it went away in between
    try:
        while True:
            reply = await asked.get()
            try:
                await bus.publish(reply, answer)
            except BusError:
                continue  # whoever asked asks again
    finally:
        await subscription.unsubscribe()
