"""Reads a frame as JSON under limits that keep a hostile one cheap."""

from __future__ import annotations

from typing import Any

import msgspec

from . import Frame

# Characters or bytes of a frame that is not plain audio: large for any configuration, small for
# what decoding it costs.
MAX_SIZE = 1_048_576
# Arrays, objects and separators of a frame, those inside of text counted too: what decoding costs
# grows with these far more than with size. A hundred tools have about ten thousand.
MAX_PARTS = 50_000
# Nesting of a frame; tool schemas reach about 20.
MAX_DEPTH = 64

_decode = msgspec.json.Decoder().decode

# A decoder's errors: malformed JSON, numbers out of range, nesting beyond the stack, text that
# cannot be UTF-8.
MALFORMED = (msgspec.DecodeError, RecursionError, ValueError)


class BadFrame(Exception):
    """The frame is no JSON that is accepted; the text says why."""

    def __init__(self, message: str, code: str = "invalid_json") -> None:
        super().__init__(message)
        self.code = code


def read_object(frame: Frame) -> dict[str, Any]:
    """Decode a frame that must hold a JSON object; of a key that stands twice the last counts.

    Not accepted are, beside malformed JSON: NaN and infinities, lone surrogates, a byte order mark,
    nesting deeper than MAX_DEPTH.
    """
    if len(frame) > MAX_SIZE:
        raise BadFrame(f"A frame without audio holds at most {MAX_SIZE} characters.", "event_too_large")
    if _parts(frame) > MAX_PARTS:
        raise BadFrame(f"A frame holds at most {MAX_PARTS} members.", "event_too_large")
    try:
        value = _decode(frame)
    except MALFORMED as error:
        raise BadFrame("The frame is not valid JSON.") from error
    if not isinstance(value, dict):
        raise BadFrame("The frame is not a JSON object.")
    if _deeper_than(value, MAX_DEPTH):
        raise BadFrame(f"The frame is nested deeper than {MAX_DEPTH} levels.")
    return value


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
