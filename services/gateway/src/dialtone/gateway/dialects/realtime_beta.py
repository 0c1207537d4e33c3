"""The beta dialect of the OpenAI Realtime protocol: its own names, over the same call."""

from __future__ import annotations

from typing import Final

import msgspec

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.client_events import ClientEvent
from dialtone.gateway.core.session import SessionConfig

from . import Frame
from .realtime_beta_decode import BETA_EVENTS
from .realtime_beta_encode import encode_event
from .realtime_beta_session import DEFAULT_TEMPERATURE
from .realtime_decode import decode_event
from .realtime_socket import RealtimeSocket


class RealtimeBetaDialect(RealtimeSocket):
    """One client's beta socket."""

    name: Final = "realtime_beta"
    audio_delta = "response.audio.delta"

    def configure(self, config: SessionConfig) -> SessionConfig:
        """As the base does; where no temperature is set it is the one that this dialect shows, unless the
        model has none to be set."""
        config = super().configure(config)
        if config.dialtone.temperature is not None or config.moshi is not None:
            return config
        replace = msgspec.structs.replace
        return replace(config, dialtone=replace(config.dialtone, temperature=DEFAULT_TEMPERATURE))

    def _decode(self, frame: Frame) -> ClientEvent:
        return decode_event(frame, BETA_EVENTS)

    def _encode(self, event: out.ServerEvent, event_id: str) -> str | None:
        return encode_event(event, event_id)
