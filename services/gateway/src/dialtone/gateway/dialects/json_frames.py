"""Reads a frame as JSON under limits that keep a hostile one cheap."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import msgspec

from . import Frame

# Characters or bytes of a frame that is not plain audio: large for any configuration, small for
# what decoding it costs.
MAX_SIZE = 1_048_576
# Of one that may hold images.
MAX_LARGE_SIZE = 8 * 1_048_576
# Arrays, objects and separators of a frame, those inside of text counted too: what decoding costs
# grows with these far more than with size. A hundred tools have about ten thousand.
MAX_PARTS = 50_000
# Nesting of a frame; tool schemas reach about 20.
MAX_DEPTH = 32

_decode = msgspec.json.Decoder().decode

# A decoder's errors: malformed JSON, numbers out of range, nesting beyond the stack, text that
# cannot be UTF-8.
MALFORMED = (msgspec.DecodeError, RecursionError, ValueError)


class BadFrame(Exception):
    """The frame is no JSON that is accepted; the text says why. `event_id` is the client's, where known."""

    def __init__(self, message: str, code: str = "invalid_json", event_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.event_id = event_id


class _Outside(msgspec.Struct):
    """What must be known of a large frame before the rest of it is worth decoding."""

    type: str
    event_id: str | None = None


_outside = msgspec.json.Decoder(_Outside).decode


def read_object(frame: Frame, large: Container[str] = ()) -> dict[str, Any]:
    """Decode a frame that must hold a JSON object; of a key that stands twice the last counts.

    `large` are the types of events that may have MAX_LARGE_SIZE.

    Not accepted are, beside malformed JSON: NaN and infinities, lone surrogates, a byte order mark,
    nesting deeper than MAX_DEPTH.
    """
    if _parts(frame) > MAX_PARTS:
        message = f"A frame holds at most {MAX_PARTS} members."
        raise BadFrame(message, "event_too_large", _event_id(frame))
    if len(frame) > MAX_SIZE:
        _check_large(frame, large)
    try:
        value = _decode(frame)
    except MALFORMED as error:
        raise BadFrame("The frame is not valid JSON.", event_id=_event_id(frame)) from error
    if not isinstance(value, dict):
        raise BadFrame("The frame is not a JSON object.")
    if _deeper_than(value, MAX_DEPTH):
        message = f"The frame is nested deeper than {MAX_DEPTH} levels."
        raise BadFrame(message, event_id=_event_id(frame))
    return value


def _event_id(frame: Frame) -> str | None:
    """The id of an event that is not taken, if that much of it can be read."""
    try:
        return _outside(frame).event_id
    except MALFORMED:
        return None


def _check_large(frame: Frame, large: Container[str]) -> None:
    try:
        outside = _outside(frame)
    except MALFORMED as error:
        message = f"The frame is not valid, and has more than {MAX_SIZE} characters."
        raise BadFrame(message, "event_too_large") from error
    limit = MAX_LARGE_SIZE if outside.type in large else MAX_SIZE
    if len(frame) > limit:
        message = f"An event of this type holds at most {limit} characters."
        raise BadFrame(message, "event_too_large", outside.event_id)


def _parts(frame: Frame) -> int:
    if isinstance(frame, str):
        return frame.count("[") + frame.count("{") + frame.count(",")
    return frame.count(b"[") + frame.count(b"{") + frame.count(b",")


def _deeper_than(value: dict[str, Any], limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit):
        level = [
            child
            for parent in level
            for child in (parent.values() if type(parent) is dict else parent)
            if type(child) in (dict, list)
        ]
        if not level:
            return False
    return True
