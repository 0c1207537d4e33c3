"""What the call core asks its surroundings to do, in the order given.

What is to be stored is asked for before the client is told of it: the surroundings tell when it is.
"""

from __future__ import annotations

import msgspec

from dialtone.v1.ears_pb2 import EarsInput
from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.work_pb2 import Work

from .items import Item
from .server_events import ServerEvent
from .session import SessionConfig
from .timing import TurnMarks


class Effect(msgspec.Struct):
    pass


class Send(Effect):
    """Send this to the client."""

    event: ServerEvent


class Submit(Effect):
    """Put this work on its stage's queue; if that fails, say so by a SubmitFailed."""

    stage: str
    work: Work


class Cancel(Effect):
    """Tell the workers of these leases to stop."""

    lease_ids: list[str]


class SendInput(Effect):
    """Send this to a leg of the call."""

    frame: EarsInput


class Answer(Effect):
    """Answer a claim."""

    reply: str
    grant: Grant


class PutItem(Effect):
    """Store an item, new or changed; `after` is the item before it, None at the front."""

    item: Item
    after: str | None


class RemoveItem(Effect):
    item_id: str


class PutConfig(Effect):
    config: SessionConfig


class TurnOver(Effect):
    """A turn has come to its end: time for its span. `trace` is its traceparent."""

    trace: str
    response_id: str
    status: str
    failure: str  # its code; empty for none
    marks: TurnMarks


class Close(Effect):
    """Close the client's connection (WebSocket close code) once all that was sent is out."""

    code: int
    reason: str


# --- what the surroundings tell the core, beside client events ---


class WorkerFrame(msgspec.Struct):
    """An event of a worker; `reply` is where a claim wants its answer."""

    event: WorkerEvent
    reply: str = ""


class SubmitFailed(msgspec.Struct):
    lease_id: str
    code: str  # "overloaded", "work_too_large", or "bus_unavailable", after which it is tried again
    message: str


class BrokerSeen(msgspec.Struct):
    """The connection to the broker is there again, or gone."""

    connected: bool


class WorkerGone(msgspec.Struct):
    """A worker runs no more, or is cut off."""

    instance: str  # of its claims


class Tick(msgspec.Struct):
    """Time has come to `Call.deadline`."""


class Opened(msgspec.Struct):
    """The client is connected."""


class Displaced(msgspec.Struct):
    """The session belongs to another call by now."""


class Expelled(msgspec.Struct):
    """The client did what the gateway does not go on with: the call ends, and this is why."""

    code: str
    message: str
    reason: str  # of the close frame


class NotStored(msgspec.Struct):
    """A change of the session was refused by a store that works, the first one: the call goes on as it does
    without a store, and its client is to know what that is worth."""


class TenantSpent(msgspec.Struct):
    """All calls of the tenant have used what they may: for so long none of them begins a response."""

    for_s: float


class GoAway(msgspec.Struct):
    """The gateway stops: end at the next quiet moment, after `within_s` seconds at the latest."""

    within_s: float
