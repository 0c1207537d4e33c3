"""Client frames made ahead, and server events read with no more than is needed.

At 80 calls a client writes 4,000 frames a second on the cores that are measured, so a frame is a WebSocket
frame ready to be written, and each distinct 20 ms of audio is encoded once.
"""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import msgspec
import pybase64

_FIN_TEXT = 0x81
_MASKED = 0x80


class ResponseStatus(msgspec.Struct):
    """Of `response.done`."""

    status: str = ""


class ErrorDetail(msgspec.Struct):
    """Of `error`."""

    code: str | None = None
    message: str = ""


class ServerEvent(msgspec.Struct):
    """The members that a bench looks at; absent ones are empty."""

    type: str
    delta: str = ""
    response: ResponseStatus | None = None
    error: ErrorDetail | None = None
    metrics: dict[str, float | None] | None = None


_decoder = msgspec.json.Decoder(ServerEvent)


def read_event(message: str | bytes) -> ServerEvent:
    """Decode a server event."""
    return _decoder.decode(message)


def pcm_of(event: ServerEvent) -> bytes:
    """The samples of an audio delta."""
    return pybase64.b64decode(event.delta)


def text_frame(text: bytes) -> bytes:
    """A client's WebSocket frame as bytes on the wire. Its mask is zero, which is a legal one."""
    if len(text) < 126:
        head = struct.pack("!BB", _FIN_TEXT, _MASKED | len(text))
    elif len(text) < 1 << 16:
        head = struct.pack("!BBH", _FIN_TEXT, _MASKED | 126, len(text))
    else:
        head = struct.pack("!BBQ", _FIN_TEXT, _MASKED | 127, len(text))
    return head + bytes(4) + text


def append_frame(pcm: bytes) -> bytes:
    """The frame that appends this audio."""
    return text_frame(b'{"type":"input_audio_buffer.append","audio":"' + base64.b64encode(pcm) + b'"}')


def session_update(silence_ms: int | None, rate: int, *, turn_metrics: bool = False) -> str:
    """The event that sets a call to PCM of `rate` both ways; `silence_ms` ends a turn (None: default)."""
    detection: dict[str, Any] = {"type": "server_vad"}
    if silence_ms is not None:
        detection["silence_duration_ms"] = silence_ms
    pcm = {"type": "audio/pcm", "rate": rate}
    audio = {"input": {"format": pcm, "turn_detection": detection}, "output": {"format": pcm}}
    session: dict[str, Any] = {"type": "realtime", "audio": audio}
    if turn_metrics:
        session["dialtone"] = {"turn_metrics": True}
    return json.dumps({"type": "session.update", "session": session})
