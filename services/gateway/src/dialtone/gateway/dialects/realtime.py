"""The GA dialect of the OpenAI Realtime protocol."""

from __future__ import annotations

from typing import Final

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.client_events import ClientEvent

from . import Frame
from .realtime_decode import GA_EVENTS, decode_event
from .realtime_encode import encode_event
from .realtime_socket import RealtimeSocket


class RealtimeDialect(RealtimeSocket):
    """One client's GA socket."""

    name: Final = "realtime"
    audio_delta = "response.output_audio.delta"

    def _decode(self, frame: Frame) -> ClientEvent:
        return decode_event(frame, GA_EVENTS)

    def _encode(self, event: out.ServerEvent, event_id: str) -> str | None:
        return encode_event(event, event_id)
