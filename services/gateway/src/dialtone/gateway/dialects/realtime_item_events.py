"""Frames of events that carry an item, which alone may outgrow what clients take: audio, images."""

from __future__ import annotations

from typing import Any

import msgspec
import pybase64

from dialtone.gateway.core import server_events as out

# Of one frame, in characters of JSON: some clients close the socket at 1 MiB.
MAX_FRAME = 1_000_000
# Left out of a frame that would be larger, the first one that suffices.
_BULKY = ("audio", "image_url")

_encode = msgspec.json.Encoder().encode


def with_audio(event: out.ItemAdded | out.ItemDone | out.ItemRetrieved) -> dict[str, Any]:
    """The event's members; the audio of a retrieved item stands in its `input_audio` part."""
    members: dict[str, Any] = msgspec.to_builtins(event)
    if isinstance(event, out.ItemRetrieved):
        del members["audio"]
        if event.audio is not None:
            audio = pybase64.b64encode_as_string(event.audio)
            for part in members["item"]["content"]:
                if part["type"] == "input_audio":
                    part["audio"] = audio
    return members


def item_event(members: dict[str, Any]) -> str:
    """The frame of an event with an `item`; without its audio or images if it were too large."""
    frame = _encode(members)
    for bulky in _BULKY:
        if len(frame) <= MAX_FRAME:
            break
        for part in members["item"].get("content", ()):
            part.pop(bulky, None)
        frame = _encode(members)
    return frame.decode()
