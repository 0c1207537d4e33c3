"""Dialects: wire protocols of clients, each a pair of functions between frames and core events.

A dialect belongs to one connection. It holds what reading and writing frames needs (half a sample,
the present audio format), never anything of the conversation.
"""

from __future__ import annotations

from typing import Protocol

from dialtone.gateway.core.client_events import ClientEvent
from dialtone.gateway.core.server_events import ServerEvent

Frame = str | bytes  # a text or a binary frame of a WebSocket


class Dialect(Protocol):
    @property
    def name(self) -> str: ...

    def decode(self, frame: Frame) -> ClientEvent | None:
        """What the client asks with this frame; None if there is nothing to do.

        Never raises: of a bad frame it makes an `Invalid`.
        """

    def encode(self, event: ServerEvent) -> list[Frame]:
        """The frames that say this to the client; none if the protocol has no form for it."""
