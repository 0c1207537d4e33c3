"""The frames that clients of each dialect see: each is held against the official SDK's types."""

from __future__ import annotations

from dialtone.gateway.core import server_events as out
from dialtone.gateway.dialects.realtime import RealtimeDialect
from dialtone.gateway.dialects.realtime_beta import RealtimeBetaDialect
from dialtone.gateway.dialects.voice_call import VoiceCallDialect
from tests.fixtures.sdk_types import WireCheck


class WireView:
    """Encodes every event in every dialect; raises AssertionError at the first frame that is wrong."""

    def __init__(self) -> None:
        self._checked = [
            (RealtimeDialect(), WireCheck("realtime")),
            (RealtimeBetaDialect(), WireCheck("realtime_beta")),
        ]
        self._voice_call = VoiceCallDialect()

    def take(self, event: out.ServerEvent) -> None:
        for dialect, check in self._checked:
            for frame in dialect.encode(event):
                check(frame)
        self._voice_call.encode(event)
