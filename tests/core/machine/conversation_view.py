"""What a client makes of the events about items and input audio: their order, words and positions."""

from __future__ import annotations

from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import InputAudio, Item, MessageItem, OutputAudio, OutputText


class ConversationView:
    """Fed each effect; raises AssertionError at the first that cannot be true."""

    def __init__(self, items: list[Item]) -> None:
        self.order = [item.id for item in items]
        self.told = {item.id: item for item in items}  # each item as last told
        self.stored = dict(self.told)  # as the stores have it
        self.undone: set[str] = set()  # added, and not done
        self.committed: set[str] = set()  # items made of input audio
        self.settled: set[str] = set()  # those whose transcription is over
        self.unsettled: set[str] = set()  # those that the client waits for
        self._transcribing = False  # as the session was told last
        self._adding: str | None = None  # committed just now, and to be added next
        self._position_ms = 0
        self._speaking: dict[str, bool] = {}  # utterances announced by their item, and whether they go on

    def take(self, effect: do.Effect) -> None:
        match effect:
            case do.Send(event):
                self._event(event)
            case do.PutItem(item, after):
                assert item.id in self.order
                assert after == self.previous(item.id)
                self.stored[item.id] = item
            case do.RemoveItem(item_id):
                self.stored.pop(item_id, None)

    def previous(self, item_id: str) -> str | None:
        at = self.order.index(item_id)
        return self.order[at - 1] if at else None

    def _event(self, event: out.ServerEvent) -> None:
        match event:
            case out.ItemAdded(item, previous):
                self._added(item, previous)
                if _heard_later(item):
                    self.committed.add(item.id)
                    self.settled.discard(item.id)  # the client may give an id again
            case out.ItemDone(item, previous):
                assert item.id in self.undone, "done twice, or never added"
                self.undone.remove(item.id)
                assert item.status != "in_progress"
                assert previous == self.previous(item.id)
                self.told[item.id] = item
            case out.ItemRetrieved(item):
                assert item.id in self.order
            case out.ItemDeleted(item_id):
                self.order.remove(item_id)
                del self.told[item_id]
                self.undone.discard(item_id)
            case out.ItemTruncated(item_id):
                assert item_id in self.order
            case _:
                self._input(event)

    def _added(self, item: Item, previous: str | None) -> None:
        assert item.id not in self.order
        assert self._adding in (None, item.id), "something between a commit and its item"
        self._adding = None
        at = 0 if previous is None else self.order.index(previous) + 1
        self.order.insert(at, item.id)
        self.told[item.id] = item
        self.undone.add(item.id)

    # --- input

    def _input(self, event: out.ServerEvent) -> None:
        assert self._adding is None, f"{event} between a commit and its item"
        match event:
            case out.SessionCreated() | out.SessionUpdated():
                self._transcribing = event.config.transcription is not None
                if not self._transcribing:
                    self.unsettled.clear()
            case out.SpeechStarted(start_ms, item_id):
                assert item_id not in self._speaking
                self._speaking[item_id] = True
                self._moves_to(start_ms)
            case out.SpeechStopped(end_ms, item_id):
                assert self._speaking[item_id]
                self._speaking[item_id] = False
                self._moves_to(end_ms)
            case out.TimeoutTriggered(start_ms, end_ms):
                assert start_ms <= end_ms
                self._moves_to(end_ms)
            case out.InputCommitted(item_id, previous):
                assert item_id not in self.committed
                assert previous == (self.order[-1] if self.order else None)
                self.committed.add(item_id)
                self._adding = item_id
                if self._transcribing:
                    self.unsettled.add(item_id)
            case out.TranscriptionDelta(item_id):
                assert item_id not in self.settled
                assert event.delta
            case out.TranscriptionCompleted(item_id) | out.TranscriptionFailed(item_id):
                assert self._transcribing
                assert item_id in self.committed
                assert item_id not in self.settled, "transcribed twice"
                self.settled.add(item_id)
                self.unsettled.discard(item_id)

    def _moves_to(self, ms: int) -> None:
        assert ms >= self._position_ms, f"back from {self._position_ms} to {ms} ms"
        self._position_ms = ms

    # --- against the truth

    def agrees_with(self, items: list[Item]) -> None:
        """The call's own conversation is what its events said."""
        assert [item.id for item in items] == self.order
        for item in items:
            told = self.told[item.id]
            if item != told:
                assert _may_become(told, item), f"told {told}, has {item}"

    def is_stored(self, items: list[Item]) -> None:
        """Nothing of the conversation is missing in the stores, but for turns that never came to words."""
        stored = {item_id: item for item_id, item in self.stored.items() if not _wordless(item)}
        assert stored == {item.id: item for item in items if not _wordless(item)}


def _may_become(told: Item, now: Item) -> bool:
    """Words come to the user's audio, and are cut off the end of what was not heard."""
    if not (isinstance(told, MessageItem) and isinstance(now, MessageItem)):
        return False
    if (told.role, told.status) != (now.role, now.status):
        return False
    if told.role == "user":
        return len(told.content) == len(now.content) and all(
            new == old or (old == InputAudio() and isinstance(new, InputAudio))
            for new, old in zip(now.content, told.content, strict=True)
        )
    return len(now.content) <= len(told.content) and all(
        type(new) is type(old) and _text(old).startswith(_text(new))
        for new, old in zip(now.content, told.content, strict=False)
    )


def _heard_later(item: Item) -> bool:
    return isinstance(item, MessageItem) and item.role == "user" and InputAudio(None) in item.content


def _wordless(item: Item) -> bool:
    return isinstance(item, MessageItem) and item.content == [InputAudio(None)]


def _text(part: object) -> str:
    if isinstance(part, OutputAudio):
        return part.transcript
    assert isinstance(part, OutputText)
    return part.text
