"""The final transcripts of a leg: in the order of their turns, and few on their way at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from opentelemetry.trace import StatusCode

from dialtone.bus import Lease
from dialtone.telemetry.tracing import stage_span
from dialtone.telemetry.turn_trace import traceparent
from dialtone.v1.common_pb2 import Error
from dialtone.v1.ears_pb2 import Transcript
from dialtone.vad_asr import metrics
from dialtone.vad_asr.asking import Asking
from dialtone.vad_asr.asr.pool import PoolOverloaded, RecognitionFailed
from dialtone.vad_asr.turn import Ask

# A recording that is sent at once holds many turns. It is heard on only when few of them wait for their
# words: its turns are not to fill the queue that all calls share.
_ON_THEIR_WAY = 3

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


async def send_final(
    lease: Lease, asking: Asking, final: Transcript, ask: Ask, before: asyncio.Task[None] | None = None
) -> None:
    """Complete `final` with the answer to `ask`, and send it after what is `before` it."""
    trace = traceparent(lease.work.call_id, final.utterance)
    with stage_span("transcribe", trace, _attributes(lease), began=ask.asked) as span:
        try:
            recognition = await asking.certainly(ask)
        except PoolOverloaded as error:
            final.error.CopyFrom(Error(code="overloaded", message=str(error), retryable=True))
        except RecognitionFailed as error:
            final.error.CopyFrom(Error(code=error.code, message=str(error), retryable=True))
        else:
            final.text = recognition.text
            final.language = recognition.language
            final.compute_us = recognition.compute_us
            final.backend = recognition.backend
        if final.error.code:
            span.set_status(StatusCode.ERROR, final.error.code)
            span.set_attribute("error.type", final.error.code)
        span.set_attributes(
            {
                "dialtone.language": final.language,
                "dialtone.backend": final.backend,
                "dialtone.compute_ms": final.compute_us / 1e3,
                "dialtone.audio_ms": (final.audio_end_us - final.audio_start_us) / 1e3,
            }
        )
    final.wait_us = ask.wait_us()
    if before is not None:
        await asyncio.wait({before})
    metrics.TURNS.labels(final.error.code or ("text" if final.text else "empty")).inc()
    await lease.send(transcript=final)


def _attributes(lease: Lease) -> dict[str, str | int | float | bool]:
    """What is known of a transcription when it is asked for.

    The conventions for generative AI have no name for it yet; this one is of their draft for voice agents.
    """
    return {
        "dialtone.stage": "asr",
        "dialtone.attempt": lease.attempt,
        "gen_ai.operation.name": "speech_to_text",
        "gen_ai.output.type": "text",
        "gen_ai.conversation.id": lease.work.session_id,
    }


class Finals:
    """Sends each turn's final transcript when it is there, after those of the turns before it."""

    def __init__(self, lease: Lease, asking: Asking, spawn: Spawn) -> None:
        """`spawn` runs what is to end the leg should it fail."""
        self._lease = lease
        self._asking = asking
        self._spawn = spawn
        self._pending: set[asyncio.Task[None]] = set()
        self._last: asyncio.Task[None] | None = None

    @property
    def awaited(self) -> bool:
        """Some are on their way."""
        return bool(self._pending)

    @property
    def crowded(self) -> bool:
        """So many are on their way that no more is to be heard for now."""
        return len(self._pending) >= _ON_THEIR_WAY

    def add(self, final: Transcript, ask: Ask) -> None:
        """`final` says which turn it is of; the answer to `ask` completes it."""
        self._last = self._spawn(send_final(self._lease, self._asking, final, ask, self._last))
        self._pending.add(self._last)
        self._last.add_done_callback(self._pending.discard)

    async def room(self) -> None:
        """Wait until few enough are on their way, or the worker is leaving."""
        if not self.crowded:
            return
        leaving = asyncio.create_task(self._lease.draining.wait())
        try:
            while self.crowded and not leaving.done():
                await asyncio.wait({leaving, *self._pending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()

    async def wait(self) -> None:
        """Wait for all that were added."""
        if self._last is not None:
            await asyncio.wait({self._last})
