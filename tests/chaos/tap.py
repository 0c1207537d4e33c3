"""Hears what a gateway is told: in which phase calls are, and which process holds which of their work."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from dialtone.v1.events_pb2 import WorkerEvent
from tests.fixtures.nats_proxy import NatsProxy


class Phase(StrEnum):
    """Of a turn, by the event that begins it."""

    LISTENING = "listening"  # the user has begun to speak
    RECOGNISING = "recognising"  # the user has stopped
    THINKING = "thinking"  # a model has the turn, and has said nothing yet
    ANSWERING = "answering"  # its first words are there
    SPEAKING = "speaking"  # the first sound of a sentence is there


@dataclass(frozen=True, slots=True)
class Moment:
    """A call came into a phase."""

    phase: Phase
    call_id: str


@dataclass(slots=True)
class _Holder:
    role: str
    pid: int
    attempt: int


@dataclass
class Tap:
    """What the workers of all calls tell their gateway. A worker's id names its role and its process."""

    _holders: dict[str, dict[str, _Holder]] = field(default_factory=dict)  # by call and lease
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: list[tuple[Callable[[Moment], bool], asyncio.Future[Moment]]] = field(default_factory=list)
    void: int = 0
    """Events of attempts that others have overtaken."""
    spoken_us: int = 0
    """How long the sentences were that were spoken, as their voices tell."""

    def holder(self, call_id: str, role: str) -> int | None:
        """The process that works in this role for the call: the latest that took something up."""
        held = [one for one in self._holders.get(call_id, {}).values() if one.role == role]
        return held[-1].pid if held else None

    def calls_of(self, pid: int) -> set[str]:
        """The calls that this process holds work of."""
        return {
            call_id
            for call_id, leases in self._holders.items()
            if any(holder.pid == pid for holder in leases.values())
        }

    @property
    def calls(self) -> set[str]:
        """The calls that anybody holds work of."""
        return {call_id for call_id, leases in self._holders.items() if leases}

    def forget(self, call_id: str) -> None:
        """The call is over."""
        self._holders.pop(call_id, None)

    async def news(self) -> None:
        """Wait for anybody to take up work."""
        self._news.clear()
        await self._news.wait()

    async def taken_from(self, pid: int) -> None:
        """Wait for another process to take up something of what this one has now."""
        had = [
            (leases, lease_id)
            for leases in self._holders.values()
            for lease_id, holder in leases.items()
            if holder.pid == pid
        ]
        while not any(lease_id in leases and leases[lease_id].pid != pid for leases, lease_id in had):
            await self.news()

    def expect(self, phase: Phase) -> asyncio.Future[Moment]:
        """The next time that a call comes into this phase."""
        future: asyncio.Future[Moment] = asyncio.get_running_loop().create_future()
        self._waiting.append((lambda moment: moment.phase is phase, future))
        return future

    def on_message(self, subject: str, data: bytes) -> None:
        """Take in a message; only the events of calls matter."""
        words = subject.split(".")
        if words[0] != "call" or words[-1] != "events" or not data:
            return  # or a worker asks whether the call is still there
        event = WorkerEvent.FromString(data)
        call_id = words[1]
        leases = self._holders.setdefault(call_id, {})
        body = event.WhichOneof("body")
        holder = leases.get(event.lease_id)
        if body == "claim":
            worker_id = event.claim.worker_id
            # The service of the ears is called vad-asr.
            role, pid = worker_id.removeprefix("vad-").partition("-")[0], worker_id.rpartition("-")[2]
            if holder is None or event.attempt > holder.attempt:
                leases.pop(event.lease_id, None)  # so that the latest stands last
                leases[event.lease_id] = _Holder(role, int(pid), event.attempt)
                self._news.set()
                if role == "llm":
                    self._tell(Phase.THINKING, call_id)
            return
        if holder is None:
            return
        if event.attempt != holder.attempt:
            self.void += event.attempt < holder.attempt
            return
        match body:
            case "speech_started":
                self._tell(Phase.LISTENING, call_id)
            case "speech_stopped":
                self._tell(Phase.RECOGNISING, call_id)
            case "text":
                self._tell(Phase.ANSWERING, call_id)
            case "audio":
                self._tell(Phase.SPEAKING, call_id)
            case "leg_done" | "turn_done" | "sentence_done" | "failed" | "released":
                self.spoken_us += event.sentence_done.duration_us
                del leases[event.lease_id]
            case _:
                pass

    def _tell(self, phase: Phase, call_id: str) -> None:
        moment = Moment(phase, call_id)
        for waiting in [waiting for waiting in self._waiting if waiting[0](moment)]:
            self._waiting.remove(waiting)
            if not waiting[1].done():
                waiting[1].set_result(moment)


@contextlib.contextmanager
def tapping(network: NatsProxy) -> Iterator[Tap]:
    """Listen inside the block to what comes to the gateway over this network."""
    tap = Tap()
    network.listener = tap.on_message
    try:
        yield tap
    finally:
        network.listener = None
