"""The gateway's side of the lease contract: a small participant that records what it hears."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from dialtone.bus import Bus, Message, Stage, Subscription, control_subject, events_subject
from dialtone.v1.control_pb2 import CallEnded, Cancel, Control
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.turn_pb2 import LlmTurn
from dialtone.v1.work_pb2 import Work


async def until(condition: Callable[[], bool], what: str, timeout: float = 10.0) -> None:
    """Wait for a condition; fail with `what` when it does not come true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        await asyncio.sleep(0.005)


@dataclass
class CallSide:
    """A call: grants claims (as `grant` says) and keeps the events with the time they came."""

    bus: Bus
    call_id: str
    grant: Callable[[WorkerEvent], Grant | None] = lambda _claim: Grant(granted=True)
    events: list[WorkerEvent] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    _subscription: Subscription | None = None
    _answers: set["asyncio.Task[None]"] = field(default_factory=set)

    async def open(self) -> "CallSide":
        self._subscription = await self.bus.subscribe(events_subject(self.call_id), self._on_event)
        return self

    async def close(self) -> None:
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    async def submit(
        self, lease_id: str, *, stage: Stage = Stage.LLM, pool: str = "default", base: int = 0
    ) -> Work:
        work = Work(
            lease_id=lease_id,
            attempt_base=base,
            call_id=self.call_id,
            session_id="s1",
            turn=LlmTurn(response_id="r1"),
        )
        await self.bus.submit(stage, pool, work)
        return work

    async def cancel(self, *lease_ids: str) -> None:
        message = Control(cancel=Cancel(lease_ids=lease_ids))
        await self.bus.publish(control_subject(self.call_id), message.SerializeToString())

    async def end(self) -> None:
        message = Control(ended=CallEnded())
        await self.bus.publish(control_subject(self.call_id), message.SerializeToString())

    def of(self, body: str, lease_id: str | None = None) -> list[WorkerEvent]:
        return [
            event
            for event in self.events
            if event.WhichOneof("body") == body and lease_id in (None, event.lease_id)
        ]

    def attempts(self, lease_id: str) -> list[int]:
        return [claim.attempt for claim in self.of("claim", lease_id)]

    def when(self, body: str, attempt: int) -> float:
        for event, at in zip(self.events, self.times, strict=True):
            if event.WhichOneof("body") == body and event.attempt == attempt:
                return at
        raise AssertionError(f"no {body} of attempt {attempt}")

    def _on_event(self, message: Message) -> None:
        event = WorkerEvent.FromString(message.data)
        self.events.append(event)
        self.times.append(time.monotonic())
        if event.HasField("claim"):
            answer = self.grant(event)
            if answer is not None:
                task = asyncio.create_task(self.bus.publish(message.reply, answer.SerializeToString()))
                self._answers.add(task)
                task.add_done_callback(self._answers.discard)
