"""Ends work that nobody will be given any more.

After the last delivery JetStream leaves a message in its stream, pending for no one, and only says so
in an advisory. A gateway of the group that listens here removes the message and tells the call that its
work has failed.
"""

import asyncio
import base64
import json
from collections.abc import Coroutine
from functools import partial
from typing import Any

from google.protobuf.message import DecodeError

from dialtone.bus.connection import Bus, Message, Subscription
from dialtone.bus.errors import BusError
from dialtone.bus.subjects import Stage, events_subject, stream_name
from dialtone.telemetry import bind_call, get_logger, shown_from_zero
from dialtone.telemetry.metrics import EXHAUSTED
from dialtone.v1.common_pb2 import Error
from dialtone.v1.events_pb2 import WorkerEvent, WorkFailed
from dialtone.v1.work_pb2 import Work

_QUEUE = "exhausted-work"
_TIMEOUT_S = 2.0
_AT_ONCE = 64
log = get_logger(__name__)


class ExhaustedWork:
    """Listens while started; all gateways do, and each advisory reaches one of them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._subscriptions: list[Subscription] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to listen. Raises BusUnavailable."""
        shown_from_zero(EXHAUSTED, *Stage)
        for stage in Stage:
            subject = f"$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{stream_name(stage)}.*"
            on_advisory = partial(self._on_advisory, stage)
            self._subscriptions.append(await self._bus.subscribe(subject, on_advisory, queue=_QUEUE))

    async def stop(self) -> None:
        """Stop listening, after what was begun."""
        for subscription in self._subscriptions:
            await subscription.unsubscribe()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _on_advisory(self, stage: Stage, message: Message) -> None:
        if len(self._tasks) >= _AT_ONCE:
            log.error("too much exhausted work at once", stage=stage)
            return
        self._spawn(self._give_up(stage, message.data))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _give_up(self, stage: Stage, advisory: bytes) -> None:
        try:
            sequence = int(json.loads(advisory)["stream_seq"])
            work = await self._take(stage, sequence)
            if work is None:
                return
            bind_call(call_id=work.call_id, session_id=work.session_id, lease_id=work.lease_id)
            log.error("work given up", stage=stage, deliveries=self._bus.settings.work_max_deliver)
            EXHAUSTED.labels(stage).inc()
            reason = Error(code="work_exhausted", message="every worker that took this work was lost")
            event = WorkerEvent(
                lease_id=work.lease_id,
                attempt=work.attempt_base + self._bus.settings.work_max_deliver,  # outranks every delivery
                failed=WorkFailed(error=reason, final=True),
            )
            await self._bus.publish(events_subject(work.call_id), event.SerializeToString())
        except (BusError, TimeoutError, DecodeError, ValueError, KeyError) as error:
            log.error("exhausted work could not be ended", stage=stage, error=repr(error))

    async def _take(self, stage: Stage, sequence: int) -> Work | None:
        """Remove the message from its stream; None if it is gone already."""
        stream = stream_name(stage)
        found = await self._api(f"STREAM.MSG.GET.{stream}", {"seq": sequence})
        if "error" in found:
            log.warning("exhausted work is gone", stage=stage, sequence=sequence)
            return None
        await self._api(f"STREAM.MSG.DELETE.{stream}", {"seq": sequence, "no_erase": True})
        return Work.FromString(base64.b64decode(found["message"]["data"]))

    async def _api(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        answer = await self._bus.request(f"$JS.API.{name}", json.dumps(request).encode(), timeout=_TIMEOUT_S)
        decoded: dict[str, Any] = json.loads(answer)
        return decoded
