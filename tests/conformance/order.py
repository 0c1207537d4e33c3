"""The order of a turn's events, which clients rely on, in GA's names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.conformance.caller import Caller

DELTAS = "deltas"
"""Stands for one or more deltas of an answer; sound and its words may come in either order."""

SPEECH = (
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
)
USER_ITEM = ("conversation.item.added", "conversation.item.done")
_BEGUN = (
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
)
_ENDED = (
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
)
WRITTEN_ANSWER = (*_BEGUN, DELTAS, "response.output_text.done", *_ENDED)
SPOKEN_ANSWER = (
    *_BEGUN,
    DELTAS,
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    *_ENDED,
)
FUNCTION_CALL = (
    "response.output_item.added",
    "conversation.item.added",
    DELTAS,
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
)
# They come when they are ready.
_ANY_TIME = (
    "session.",
    "transcription_session.",
    "rate_limits.",
    "conversation.item.input_audio_transcription.",
    "conversation.created",
)


def assert_order(caller: Caller, *parts: Sequence[str], events: Sequence[Any] | None = None) -> None:
    """Assert that these events, by default all that came, are exactly these parts one after the other."""
    wanted = [caller.dialect.wire(kind) if kind != DELTAS else kind for part in parts for kind in part]
    if caller.dialect.name == "beta":
        wanted = [kind for kind in wanted if kind != "conversation.item.done"]
    came: list[str] = []
    for event in caller.events if events is None else events:
        kind = DELTAS if event.type.startswith("response.") and event.type.endswith(".delta") else event.type
        if event.type.startswith(_ANY_TIME) or (kind == DELTAS and came[-1:] == [DELTAS]):
            continue
        came.append(kind)
    assert came == wanted, f"{came} instead of {wanted}"
