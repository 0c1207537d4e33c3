"""A probe that notices when something blocks the event loop."""

import asyncio

from dialtone.telemetry.logs import get_logger
from dialtone.telemetry.metrics import LOOP_LAG

_PERIOD_S = 0.1
_WORTH_A_WARNING_S = 0.25
log = get_logger(__name__)


async def watch_loop_lag() -> None:
    """Measure how late timers fire, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _PERIOD_S
        await asyncio.sleep(_PERIOD_S)
        lag = max(0.0, loop.time() - due)
        LOOP_LAG.observe(lag)
        if lag > _WORTH_A_WARNING_S:
            log.warning("event loop was blocked", seconds=round(lag, 3))
