"""What a worker's handler holds while it works."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from dialtone.bus.connection import Bus
from dialtone.bus.errors import BusUnavailable, HandBack, NoResponders, WorkError
from dialtone.bus.inputs import InputSequence
from dialtone.bus.subjects import events_subject
from dialtone.v1.ears_pb2 import EarsInput
from dialtone.v1.events_pb2 import ReplayRequest, WorkerEvent
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.work_pb2 import Work

_RESEND_S = 0.02
_KNOCK_S = 0.1
_KNOCKS = 30
_REPLAY_EVERY_S = 0.25
_REPLAY_TRIES = 20
_LEGS = ("ears", "moshi")


class Lease:
    """The right and the duty to do one piece of work, in one attempt."""

    def __init__(self, bus: Bus, work: Work, attempt: int, draining: asyncio.Event) -> None:
        self.work = work
        self.attempt = attempt
        self.grant = Grant()
        self.draining = draining
        """Set when the worker is asked to leave: a leg hands itself back, short work finishes."""
        self._bus = bus
        self._events = events_subject(work.call_id)
        self._seq = 0
        self.sent_in = bus.generation
        """The connection over which the last event went out: `Bus.generation`."""
        self._heard_in = bus.generation  # the connection over which the gateway is known to hear us
        self._inputs = InputSequence()
        self._news = asyncio.Event()

    @property
    def call_id(self) -> str:
        """The call that this work belongs to."""
        return self.work.call_id

    @property
    def is_leg(self) -> bool:
        """Whether the work lasts as long as its call and has inputs: handed back rather than finished."""
        return self.work.WhichOneof("body") in _LEGS

    @property
    def lease_id(self) -> str:
        """The id that the work keeps through all its attempts."""
        return self.work.lease_id

    async def send(self, **body: Any) -> None:
        """Send the gateway an event: one body of WorkerEvent by its name, `send(text=TextDelta(...))`.

        Waits out a short absence of the broker. In a longer one the lease is lost, and the handler with
        it is cancelled.
        """
        event = self._next_event(body)
        while True:
            try:
                await self._await_gateway()
                self.sent_in = self._bus.generation
                await self._bus.publish(self._events, event)
            except BusUnavailable:
                await asyncio.sleep(_RESEND_S)
                await self._bus.wait_ready()
            else:
                return

    async def _await_gateway(self) -> None:
        """After an absence of the broker, wait until the gateway is back as well.

        It may reconnect later than we do, and what is sent before that is lost without a sign.
        """
        if self._heard_in == self._bus.generation:
            return
        generation = self._bus.generation
        for _ in range(_KNOCKS):
            try:
                await self.knock(timeout=_KNOCK_S)
            except NoResponders:
                await asyncio.sleep(_KNOCK_S)
            except TimeoutError:
                break  # somebody listens
        self._heard_in = generation

    async def send_now(self, **body: Any) -> None:
        """Send an event or raise BusUnavailable."""
        await self._bus.publish(self._events, self._next_event(body))

    async def ask(self, *, timeout: float, **body: Any) -> bytes:
        """Send an event as a request and return the answer. Raises as `Bus.request` does."""
        event = self._next_event(body)
        try:
            return await self._bus.request(self._events, event, timeout=timeout)
        except NoResponders:
            self._seq -= 1  # nobody got it
            raise

    async def knock(self, *, timeout: float) -> None:
        """Raise NoResponders when nobody listens for this call's events any more.

        The event is empty, which a gateway passes over, so a live call shows as TimeoutError. It has no
        place in the sequence: no event of ours is lost with it.
        """
        await self._bus.request(self._events, b"", timeout=timeout)

    def _next_event(self, body: dict[str, Any]) -> bytes:
        event = WorkerEvent(lease_id=self.work.lease_id, attempt=self.attempt, seq=self._seq, **body)
        self._seq += 1
        return event.SerializeToString()

    # --- inputs of a leg

    def receive(self, frame: EarsInput) -> None:
        """Take in a frame of this attempt, in whatever order it came."""
        self._inputs.receive(frame)
        self._news.set()

    def wake(self) -> None:
        """Have a waiting `inputs` look again whether the leg is to leave."""
        self._news.set()

    def granted(self, grant: Grant) -> None:
        """Start under this grant."""
        self.grant = grant
        resume = grant.moshi if grant.HasField("moshi") else grant.ears
        self._inputs.start(resume.next_seq)

    async def inputs(self, staying: Callable[[], bool] = lambda: False) -> AsyncIterator[EarsInput]:
        """The leg's inputs in sequence order, without duplicates or gaps.

        Raises HandBack, between two frames, when the worker is asked to leave and the leg is not
        `staying` for a moment, and a retryable WorkError("input_gap") when what is missing does not come
        although it was asked for. When a reason to stay ends without an input, `wake` has this look again.
        """

        def leaving() -> bool:
            return self.draining.is_set() and not staying()

        asked = 0
        while True:
            if leaving():
                raise HandBack("the worker is leaving")
            frame = self._inputs.pop()
            if frame is not None:
                asked = 0
                yield frame
                continue
            self._news.clear()
            missing = self._inputs.missing
            if missing is None:
                await self._news.wait()
                continue
            if asked == _REPLAY_TRIES:
                raise WorkError("input_gap", f"input {missing} did not come again", retryable=True)
            asked += 1
            await self.send(replay=ReplayRequest(from_seq=missing))
            await self._until_found(missing, leaving)

    def next_if(self, wanted: Callable[[EarsInput], bool]) -> EarsInput | None:
        """The next input ahead of `inputs`, if it is there already and wanted; nothing when draining.

        A leg that is behind takes more at once with it.
        """
        frame = self._inputs.peek()
        if frame is None or self.draining.is_set() or not wanted(frame):
            return None
        return self._inputs.pop()

    @property
    def behind(self) -> bool:
        """More inputs wait to be taken."""
        return self._inputs.peek() is not None

    async def _until_found(self, missing: int, leaving: Callable[[], bool]) -> None:
        """Wait for the missing frame, but no longer than it is worth before asking again."""
        try:
            async with asyncio.timeout(_REPLAY_EVERY_S):
                while self._inputs.missing == missing and not leaving():
                    await self._news.wait()
                    self._news.clear()
        except TimeoutError:
            return


Handler = Callable[[Lease], Awaitable[None]]
