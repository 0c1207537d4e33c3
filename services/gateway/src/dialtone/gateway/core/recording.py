"""Recordings of calls: all that goes into a call, so that it can be run again and do the same.

A recording is lines of JSON. The first is a `Beginning`, what the call was made of; each further one a
`Step`, one event that the call took in, with the ids that it drew and a digest of the effects that came
of it. Where something is missing a `Cut` comes last. A recording whose process died ends in the middle
of a line, and holds as far as it goes.

A call reads no clock and draws no random numbers, so a step run again must have the same effects, to the
byte. That includes the audio and the text of those who spoke: a recording is as private as the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, BinaryIO

import msgspec
from google.protobuf.message import Message

from dialtone.v1.events_pb2 import WorkerEvent

from . import client_events as ask
from .call import Call, CoreEvent
from .context import Limits
from .effects import (
    BrokerSeen,
    Displaced,
    Effect,
    Expelled,
    GoAway,
    NotStored,
    Opened,
    SubmitFailed,
    TenantSpent,
    Tick,
    WorkerFrame,
    WorkerGone,
)
from .items import Item
from .session import SessionConfig

FORMAT, VERSION = "dialtone-call", 1
# Of one line: the longest is a Beginning with all of a conversation, or what 15 MiB of audio become.
_MAX_LINE = 64 * 2**20
_DIGEST_BYTES = 8

# Events by the name that they have in a recording; a worker's are the message of the bus.
_EVENTS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        ask.UpdateSession,
        ask.AppendAudio,
        ask.CommitAudio,
        ask.ClearAudio,
        ask.EndInput,
        ask.CreateItem,
        ask.RetrieveItem,
        ask.DeleteItem,
        ask.TruncateItem,
        ask.CreateResponse,
        ask.CancelResponse,
        ask.Disconnected,
        ask.Invalid,
        SubmitFailed,
        BrokerSeen,
        WorkerGone,
        Tick,
        Opened,
        Displaced,
        Expelled,
        TenantSpent,
        NotStored,
        GoAway,
    )
}
_WORKER = WorkerFrame.__name__


class Unreadable(Exception):
    """This is no recording, or not one of this version; the text is for people."""


class Beginning(msgspec.Struct, tag="beginning", tag_field="frame"):
    """What a call was made of, and the dialect that its client spoke."""

    call_id: str
    session_id: str
    config: SessionConfig
    items: list[Item]
    expires_at: int
    limits: Limits
    dialect: str
    event_prefix: str  # of the ids of the events that the dialect wrote
    code: str  # a fingerprint of the rules that the call went by
    format: str = FORMAT
    version: int = VERSION


class Step(msgspec.Struct, tag="step", tag_field="frame", omit_defaults=True):
    """One event, in the order in which the call took them in."""

    now: float
    kind: str
    body: msgspec.Raw  # the event; a worker's is the message of the bus, as a string of base64
    digest: str = ""  # of the effects
    reply: str = ""  # of a worker's claim
    ids: list[str] = []  # drawn by `new_id`, in their order
    raised: str = ""  # the error that the call broke with; nothing comes after it


class Cut(msgspec.Struct, tag="cut", tag_field="frame"):
    """The call went on, and this is why the recording did not."""

    reason: str


Frame = Beginning | Step | Cut

_encode = msgspec.json.Encoder().encode
_decode_frame = msgspec.json.Decoder(Frame).decode


class _Head(msgspec.Struct):
    format: str
    version: int


def _bytes_of(message: object) -> bytes:
    if isinstance(message, Message):
        return message.SerializeToString(deterministic=True)
    raise NotImplementedError(type(message).__name__)


_encode_effects = msgspec.json.Encoder(enc_hook=_bytes_of).encode


def digest_of(effects: list[Effect]) -> str:
    """Two lists of effects that differ in anything have different digests; that of none is empty."""
    if not effects:
        return ""
    named = [(type(effect).__name__, effect) for effect in effects]
    return blake2b(_encode_effects(named), digest_size=_DIGEST_BYTES).hexdigest()


def as_line(frame: Frame) -> bytes:
    return _encode(frame) + b"\n"


def read_frames(file: BinaryIO) -> Iterator[Frame]:
    """The frames of a recording, as far as it is whole. Raises Unreadable."""
    line = file.readline(_MAX_LINE)
    try:
        head = msgspec.json.decode(line, type=_Head)
    except msgspec.DecodeError as error:
        raise Unreadable("This is no recording of a call.") from error
    if head.format != FORMAT:
        raise Unreadable("This is no recording of a call.")
    if head.version != VERSION:
        raise Unreadable(
            f"This recording has version {head.version} of its format; version {VERSION} can be read."
        )
    while line.endswith(b"\n"):
        try:
            yield _decode_frame(line)
        except msgspec.DecodeError as error:
            raise Unreadable(f"The recording is damaged: {error}") from error
        line = file.readline(_MAX_LINE)
    if len(line) == _MAX_LINE:
        raise Unreadable("The recording is damaged: a line does not end.")


def event_of(step: Step) -> CoreEvent:
    """The event of a step. Raises Unreadable."""
    try:
        if step.kind == _WORKER:
            message = msgspec.json.decode(step.body, type=bytes)
            return WorkerFrame(WorkerEvent.FromString(message), step.reply)
        event: CoreEvent = msgspec.json.decode(step.body, type=_EVENTS[step.kind])
    except Exception as error:  # the protobuf decoder's error type is not public
        raise Unreadable(f"A step '{step.kind}' cannot be read: {error!r}") from error
    return event


class RecordedCall(Call):
    """A call that writes down what it is told, and otherwise is like any other."""

    def __init__(
        self, beginning: Beginning, *, new_id: Callable[[str], str], write: Callable[[bytes], None]
    ) -> None:
        """`write` is given each line at once, and must not wait."""
        self._write = write
        self._ids: list[str] = []

        def recorded_id(prefix: str) -> str:
            self._ids.append(new_id(prefix))
            return self._ids[-1]

        write(as_line(beginning))
        super().__init__(
            call_id=beginning.call_id,
            session_id=beginning.session_id,
            config=beginning.config,
            items=beginning.items,
            new_id=recorded_id,
            expires_at=beginning.expires_at,
            limits=beginning.limits,
        )

    def handle(self, event: CoreEvent, now: float) -> list[Effect]:
        """As of any call. What the call is told after its end is recorded too."""
        kind, reply = type(event).__name__, ""
        if isinstance(event, WorkerFrame):
            body, reply = _encode(event.event.SerializeToString()), event.reply
        else:
            body = _encode(event)
        raw = msgspec.Raw(body)
        try:
            effects = super().handle(event, now)
        except Exception as error:
            self._put(Step(now, kind, raw, "", reply, self._ids, raised=type(error).__name__))
            raise
        self._put(Step(now, kind, raw, digest_of(effects), reply, self._ids))
        return effects

    def _put(self, step: Step) -> None:
        self._write(as_line(step))
        self._ids = []
