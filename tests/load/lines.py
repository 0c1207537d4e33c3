"""What locust and the process that talks tell each other: JSON, a line each.

Locust's users are greenlets, the callers are asyncio: a process between them lets each be what it is, keeps
the figures free of what locust does meanwhile, and has the callers use a core of their own.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Protocol = Literal["realtime", "voice_call"]


class Place(msgspec.Struct, frozen=True, tag="place"):
    """Make a call of so many turns."""

    call: int
    protocol: Protocol
    turns: int


class HangUp(msgspec.Struct, frozen=True, tag="hang_up"):
    """End a call now; `Ended` follows."""

    call: int


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The call can be talked into, `ms` after it was placed."""

    call: int
    ms: float


class Turn(msgspec.Struct, frozen=True, tag="turn"):
    """One question and its answer. Times in ms; `failure` is empty for a turn that was as it should be."""

    call: int
    failure: str = ""
    v2v_ms: float | None = None
    """From the last sample of the question to the first sample of the answer that is not silence."""
    first_audio_ms: float | None = None
    """From the last sample of the question to the first audio of any kind."""
    gap_ms: float = 0.0
    """How long the caller's player had nothing to play, inside the answer."""
    interrupted: bool = False
    """The caller talked into the answer."""
    stop_ms: float | None = None
    """This question interrupted an answer: from its first sample until the server said that it heard that."""


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The call is over. `failure`: why before its last turn; `hung_up`: by the caller, inside that turn."""

    call: int
    failure: str = ""
    hung_up: bool = False


class Pace(msgspec.Struct, frozen=True, tag="pace"):
    """How the talking process itself did, once a few seconds: one that is late measures itself."""

    calls: int
    seconds: float
    """That this is about."""
    cpu_s: float
    """Of processor time in them."""
    frames: int
    late_frames: int
    """Of these, such as were sent more than a frame's length after they were due."""
    late_p99_ms: float
    lag_p99_ms: float
    """Of the event loop: how late a timer rings, which a message that is read waits as well."""
    lag_max_ms: float


Command = Place | HangUp
Report = Opened | Turn | Ended | Pace

write_line = msgspec.json.Encoder().encode
read_command = msgspec.json.Decoder(Command).decode
read_report = msgspec.json.Decoder(Report).decode
