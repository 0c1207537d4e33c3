"""A call with everybody whom it tells something looking on."""

from __future__ import annotations

from io import BytesIO

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.call import CoreEvent
from dialtone.gateway.core.items import Item
from dialtone.gateway.core.recording import read_frames
from dialtone.gateway.core.rerun import CallRerun
from dialtone.gateway.core.session import SessionConfig
from tests.core.harness import Rig

from .conversation_view import ConversationView
from .lease_view import LeaseView
from .response_view import ResponseView
from .wire_view import WireView

# Everything that waits for a silent worker is over by then: three issues of a held turn, and more.
SILENCE_S = 600.0


class WatchedRig(Rig):
    """A rig that looks at every effect as it comes; AssertionError at the first that must not be."""

    def __init__(self, config: SessionConfig, items: list[Item]) -> None:
        self.responses = ResponseView()
        self.conversation = ConversationView(items)
        self.leases = LeaseView()
        self.wire = WireView()
        self.broken = False  # something was found: what comes after it says nothing
        super().__init__(config, list(items))

    def feed(self, event: CoreEvent) -> list[do.Effect]:
        was_broken, self.broken = self.broken, True
        over = self.call.closed
        effects = super().feed(event)
        self.leases.take(event, effects, self.call)
        if over:
            assert all(isinstance(effect, do.Answer) and not effect.grant.granted for effect in effects)
        else:
            self._looked_at(event, effects)
        self.broken = was_broken
        return effects

    def _looked_at(self, event: CoreEvent, effects: list[do.Effect]) -> None:
        for effect in effects:
            self.conversation.take(effect)
            if isinstance(effect, do.Send):
                self.responses.take(effect.event)
                self.wire.take(effect.event)
                self._names_its_request(event, effect.event)
            elif isinstance(effect, do.Close):
                assert effect is effects[-1], "something after the close"
        self.conversation.agrees_with(list(self.call._ctx.conversation))
        if self.call.config.type == "transcription":
            assert not self.responses.seen
        deadline = self.call.deadline
        if isinstance(event, do.Tick) and deadline is not None:
            assert deadline > self.now, "a tick that changes nothing: the call would be woken for ever"
        if self.call.closed:
            self._holds_nothing()

    def _names_its_request(self, event: CoreEvent, said: out.ServerEvent) -> None:
        if isinstance(said, out.Error):
            assert said.error.code
            assert said.error.message
            if isinstance(event, ask.ClientEvent) and said.error.type == "invalid_request_error":
                assert said.error.event_id == event.event_id

    def _holds_nothing(self) -> None:
        assert self.call.open_leases() == 0
        assert not self.responses.open
        assert self.call.deadline is None

    def end(self) -> None:
        """Everybody falls silent; in the end the client goes. Nothing may be owed to anyone."""
        self.wait(SILENCE_S)
        assert not self.responses.open, "a response is owed for ever"
        assert not self.conversation.undone
        assert self.call.closed or not self.conversation.unsettled, "words are owed for ever"
        self.feed(ask.Disconnected())
        self._holds_nothing()
        assert all(lease.over for lease in self.leases.leases.values())
        self.conversation.is_stored(list(self.call._ctx.conversation))
        self._goes_the_same_way_again()

    def _goes_the_same_way_again(self) -> None:
        recording = BytesIO(b"".join(self.recording))
        reruns = list(CallRerun(read_frames(recording)).steps())
        assert len(reruns) == len(self.recording) - 1
        assert not reruns[-1].difference, reruns[-1]
