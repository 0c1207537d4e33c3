"""What was said is not kept for longer than the operator has set."""

from __future__ import annotations

import asyncio
import random

from dialtone.telemetry import get_logger

from .errors import StoreUnavailable
from .stored_sessions import StoredSessions

DAY_S = 86_400.0
PERIOD_S = 3600.0  # between two looks
log = get_logger(__name__)


async def forget_unused(sessions: StoredSessions, *, days: float) -> None:
    """Delete the sessions that nobody used for so many days, now and again and again, until cancelled.

    Every gateway does: which of them is first makes no difference.
    """
    while True:
        try:
            forgotten = await sessions.forget_unused(for_s=days * DAY_S)
        except StoreUnavailable as error:
            log.warning("old sessions were not deleted", error=str(error))
        except Exception:  # what is wrong now may be mended in an hour
            log.exception("old sessions were not deleted")
        else:
            if forgotten:
                log.info("old sessions were deleted", sessions=forgotten)
        await asyncio.sleep(PERIOD_S * random.uniform(0.9, 1.1))
