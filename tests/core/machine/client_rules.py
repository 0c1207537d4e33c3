"""What a client does: everything that it may ask for, and what it must not."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import InputText, Item, MessageItem

from .players import Players
from .requests import AUDIO_BYTES, ITEMS, OWN_IDS, PATCH, RECORDED, options_of
from .watched_rig import WatchedRig

WHICH = st.integers(0, 5)
ENDS_MS = st.sampled_from([0, 10, 300, 1500, 2**53])


class Machine(RuleBasedStateMachine):
    """One call, and those who play its workers."""

    rig: WatchedRig
    players: Players

    @property
    def live(self) -> bool:
        return not self.rig.call.closed

    @property
    def grown(self) -> bool:
        """Enough has happened for an end to be worth while."""
        return len(self.rig.effects) > 60


while_live = precondition(lambda self: self.live)


class ClientRules(Machine):
    requests = 0

    def request(self, event: ask.ClientEvent) -> None:
        self.requests += 1
        event.event_id = f"request_{self.requests}"
        self.rig.feed(event)

    def item_id(self, which: int) -> str:
        """Mostly the id of an item that is there; also of one that was, and of one that never was."""
        gone: list[str] = [event.item_id for event in self.rig.of(out.ItemDeleted)]
        names = [*gone[-1:], "unheard", *self.rig.conversation.order]
        return names[-1 - which % len(names)]

    # --- input

    @while_live
    @rule(times=st.integers(1, 10))
    def speaks(self, times: int) -> None:
        self.rig.speak(times * 20)

    @while_live
    @rule(size=AUDIO_BYTES)
    def appends(self, size: int) -> None:
        self.request(ask.AppendAudio(audio=bytes(size)))

    @while_live
    @rule(ms=st.sampled_from([0, 20, 120, 400]))
    def commits(self, ms: int) -> None:
        self.rig.speak(ms)
        self.request(ask.CommitAudio())

    @while_live
    @rule()
    def clears(self) -> None:
        self.request(ask.ClearAudio())

    @precondition(lambda self: self.live and self.grown)
    @rule()
    def says_no_more(self) -> None:
        self.request(ask.EndInput())

    # --- the session

    @while_live
    @rule(patch=PATCH)
    def updates(self, patch: dict[str, Any]) -> None:
        self.request(ask.UpdateSession(patch=patch))

    @while_live
    @rule()
    def says_nonsense(self) -> None:
        self.request(ask.Invalid(code="invalid_json", message="The frame is not valid JSON."))

    # --- items

    @while_live
    @rule(item=st.sampled_from(ITEMS), own=st.sampled_from(OWN_IDS), old=WHICH, at=WHICH)
    def creates_item(self, item: Item, own: str, old: int, at: int) -> None:
        item_id = self.item_id(5) if old == 5 else own
        previous = None if at < 2 else "root" if at == 2 else self.item_id(at)
        self.request(
            ask.CreateItem(item=msgspec.structs.replace(item, id=item_id), previous_item_id=previous)
        )

    @while_live
    @rule(own=st.sampled_from(OWN_IDS), size=AUDIO_BYTES, response=st.booleans())
    def adds_recording(self, own: str, size: int, response: bool) -> None:
        item = msgspec.structs.replace(RECORDED, id=own)
        self.request(ask.CreateItem(item=item, recordings={1: bytes(size)}))
        if response:
            self.request(ask.CreateResponse())

    @while_live
    @rule(which=WHICH)
    def retrieves(self, which: int) -> None:
        self.request(ask.RetrieveItem(item_id=self.item_id(which)))

    @while_live
    @rule(which=WHICH)
    def deletes(self, which: int) -> None:
        self.request(ask.DeleteItem(item_id=self.item_id(which)))

    @while_live
    @rule(which=WHICH, item=st.sampled_from(ITEMS))
    def replaces(self, which: int, item: Item) -> None:
        """As clients rewrite a history: the item goes, and another comes under its id."""
        item_id = self.item_id(which)
        self.request(ask.DeleteItem(item_id=item_id))
        self.request(ask.CreateItem(item=msgspec.structs.replace(item, id=item_id)))

    @while_live
    @rule(which=WHICH, index=st.sampled_from([0, 0, 0, 1, 7]), end=ENDS_MS)
    def truncates(self, which: int, index: int, end: int) -> None:
        self.request(ask.TruncateItem(item_id=self.item_id(which), content_index=index, audio_end_ms=end))

    # --- responses

    @while_live
    @rule(which=st.integers(0, 10), item=WHICH)
    def asks_for_response(self, which: int, item: int) -> None:
        self.request(ask.CreateResponse(options=options_of(which, self.item_id(item))))

    @while_live
    @rule()
    def takes_text_turn(self) -> None:
        """Asks in text, and the model begins to answer."""
        self.request(ask.CreateItem(item=MessageItem("", "user", [InputText("What time is it?")])))
        self.request(ask.CreateResponse())
        self.players.claim_all("llm")
        model = self.players.of("llm")
        if model is not None:
            model.text("It is three. Or")

    @while_live
    @rule(which=WHICH)
    def cancels(self, which: int) -> None:
        ids = [None, "resp_unheard", None, *self.rig.responses.seen]
        self.request(ask.CancelResponse(response_id=ids[-which % len(ids)]))

    # --- the end

    @precondition(lambda self: self.live and self.grown)
    @rule(how=st.sampled_from([ask.Disconnected, do.Displaced]))
    def call_ends(self, how: type[ask.Disconnected] | type[do.Displaced]) -> None:
        self.rig.feed(how())

    @precondition(lambda self: self.live and self.grown)
    @rule(within_s=st.sampled_from([0, 10, 600]))
    def gateway_stops(self, within_s: float) -> None:
        """The call may end now, or at any later moment at which nothing goes on."""
        self.rig.feed(do.GoAway(within_s))

    @precondition(lambda self: not self.live)
    @rule(
        late=st.sampled_from([ask.CreateResponse(), ask.CommitAudio(), ask.Disconnected(), do.Tick()]),
        which=WHICH,
    )
    def speaks_after_the_end(self, late: ask.ClientEvent | do.Tick, which: int) -> None:
        assert self.rig.feed(late) == []
        self.players.claim(which, which)
