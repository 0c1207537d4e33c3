"""A probe that notices when something blocks the event loop, and says what."""

import asyncio
import sys
import threading
import time
import traceback

from dialtone.telemetry.logs import get_logger
from dialtone.telemetry.metrics import LOOP_LAG, LOOP_STALLS

_PERIOD_S = 0.1
_WORTH_A_WARNING_S = 0.25
_STALLED_S = 1.0
_FRAMES = 12
log = get_logger(__name__)


async def watch_loop_lag() -> None:
    """Measure how late timers fire, until cancelled; while they do not fire at all, log where the loop is."""
    loop = asyncio.get_running_loop()
    watchdog = _Watchdog(threading.get_ident())
    try:
        while True:
            due = loop.time() + _PERIOD_S
            await asyncio.sleep(_PERIOD_S)
            watchdog.turned_at = time.monotonic()
            lag = max(0.0, loop.time() - due)
            LOOP_LAG.observe(lag)
            if lag > _WORTH_A_WARNING_S:
                log.warning("event loop was blocked", seconds=round(lag, 3))
    finally:
        watchdog.stop.set()


class _Watchdog:
    """Looks at the loop from a thread of its own. Native code that keeps the interpreter to itself keeps it
    from this thread too: of such a stall only the end is noticed, without a stack."""

    def __init__(self, loop_thread: int) -> None:
        self.turned_at = time.monotonic()
        self.stop = threading.Event()
        self._loop_thread = loop_thread
        threading.Thread(target=self._run, name="loop-watchdog", daemon=True).start()

    def _run(self) -> None:
        told_of = 0.0
        while True:
            slept_at = time.monotonic()
            if self.stop.wait(_STALLED_S / 4):
                return
            now, turned_at = time.monotonic(), self.turned_at
            if now - slept_at > _STALLED_S / 2:
                continue  # the whole process stood still
            if now - turned_at > _STALLED_S and turned_at != told_of:
                told_of = turned_at
                self._tell(now - turned_at)

    def _tell(self, seconds: float) -> None:
        LOOP_STALLS.inc()
        frame = sys._current_frames().get(self._loop_thread)
        where = [f"{at.filename}:{at.lineno} {at.name}" for at in traceback.extract_stack(frame)[-_FRAMES:]]
        log.error("event loop is blocked", seconds=round(seconds, 1), stack=where)
