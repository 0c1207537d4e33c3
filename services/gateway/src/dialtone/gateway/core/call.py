"""A call: what its client and its workers say goes in, what is to be done comes out.

The call does no I/O, and reads no clock: `handle(event, now)` returns effects. The same events at
the same times give the same effects, so a recorded call can be replayed.

Its parts, each of which owns one thing:

    Legs           who hears its audio: ears, Moshi, or both; their inputs, and the input audio clock
    InputTurns     what the user says: utterances, and the items with their words
    Hearing        what the ears say, and what it means for the answers
    IdleTimeout    what happens when the user says nothing
    Answers        responses: the active one, those beside it, the one begun on a guess
    Sayings        what Moshi says, where it is Moshi that answers
    Departure      when the call ends of itself
    Outage         the time that the broker is away
    WorkTroubles   work that is not done as it should be
    ItemRecordings recordings in the client's items, until they have come to their words
    ItemRequests   the client's own changes to the conversation
    LeaseTable     who may speak for which piece of work
    Grants         what those are told who claim it
    Locks          what of the session the client may not change
"""

from __future__ import annotations

from collections.abc import Callable

from dialtone.v1.events_pb2 import WorkerEvent
from dialtone.v1.lease_pb2 import Grant

from . import client_events as ask
from . import server_events as out
from .answers import Answers
from .context import ASR, MOSHI, Context, Limits
from .conversation import Conversation
from .departure import Departure
from .effects import (
    Answer,
    BrokerSeen,
    Close,
    Displaced,
    Effect,
    Expelled,
    GoAway,
    NotStored,
    Opened,
    PutConfig,
    SubmitFailed,
    TenantSpent,
    Tick,
    WorkerFrame,
    WorkerGone,
)
from .grants import Grants
from .hearing import Hearing
from .idle_timeout import IdleTimeout
from .input_turns import InputTurns
from .item_audio import ItemAudio
from .item_recordings import ItemRecordings
from .item_requests import ItemRequests
from .items import Item
from .lease_table import HeldLease
from .legs import Legs
from .locks import Locks
from .moshi_limits import CODE, at_opening, model_change, within_moshi
from .outage import Outage
from .sayings import Sayings
from .session import SessionConfig
from .session_update import FieldError, merge_session, with_voice
from .stage_events import SAYS
from .work_troubles import WorkTroubles

CoreEvent = (
    ask.ClientEvent
    | WorkerFrame
    | SubmitFailed
    | BrokerSeen
    | WorkerGone
    | Tick
    | Opened
    | Displaced
    | Expelled
    | TenantSpent
    | NotStored
    | GoAway
)

GOING_AWAY, POLICY_VIOLATION = 1001, 1008


class Call:
    """One live connection's call. `now` is seconds on a clock that never goes back."""

    def __init__(
        self,
        *,
        call_id: str,
        session_id: str,
        config: SessionConfig,
        items: list[Item],
        new_id: Callable[[str], str],
        expires_at: int,
        limits: Limits,
    ) -> None:
        """`new_id(prefix)` makes ids; `expires_at` (unix seconds) is what the client is told."""
        self._unable: list[FieldError] = []  # what the session asks for and cannot have
        if config.moshi is not None:
            config, self._unable = at_opening(config)
        self._ctx = Context(
            call_id=call_id,
            session_id=session_id,
            config=config,
            conversation=Conversation(items),
            new_id=new_id,
            limits=limits,
        )
        self._locks = Locks(limits.locked)
        self._expires_at = expires_at
        self._began_at = 0.0
        self._expiry: float | None = None
        self._legs = Legs(self._ctx)
        self._ears = self._legs.ears
        audio = ItemAudio(limits.item_audio_bytes)
        self._turns = InputTurns(self._ctx, self._ears, audio)
        self._recordings = ItemRecordings(self._ctx, audio)
        self._items = ItemRequests(self._ctx, audio, self._recordings)
        self._answers = Answers(self._ctx, self._turns, self._recordings, self._items)
        self._idle = IdleTimeout(self._ctx, self._turns, self._answers)
        heard = self._ears, self._turns, self._recordings
        self._hearing = Hearing(self._ctx, *heard, self._answers, self._idle)
        self._sayings = Sayings(self._ctx, self._legs, self._turns, self._answers)
        self._grants = Grants(self._ctx, self._legs, self._turns, self._answers, self._sayings)
        self._departure = Departure(self._ctx, self._legs, self._turns, self._answers)
        self._outage = Outage(self._ctx)
        fail = self._recordings, self._answers, self._sayings
        self._troubles = WorkTroubles(self._ctx, self._legs, *fail, self._outage, close=self._close)
        self.closed = False
        self._deadline: float | None = None
        self._handlers: dict[type, Callable[..., None]] = {
            Opened: self._opened,
            Displaced: self._displaced,
            Expelled: self._expelled,
            TenantSpent: self._answers.tenant_spent,
            NotStored: self._not_stored,
            GoAway: self._departure.go_away,
            Tick: self._tick,
            WorkerFrame: self._worker,
            SubmitFailed: self._troubles.submit_failed,
            BrokerSeen: self._outage.broker_seen,
            WorkerGone: self._troubles.worker_gone,
            ask.UpdateSession: self._update_session,
            ask.AppendAudio: self._append,
            ask.CommitAudio: self._commit,
            ask.ClearAudio: self._clear,
            ask.EndInput: lambda _event: self._departure.end_input(),
            ask.CreateItem: self._create_item,
            ask.RetrieveItem: self._items.retrieve,
            ask.DeleteItem: self._delete_item,
            ask.TruncateItem: self._answers.truncate,
            ask.CreateResponse: self._create_response,
            ask.CancelResponse: self._answers.cancelled,
            ask.Disconnected: lambda _event: self._end(),
            ask.Invalid: self._invalid,
        }

    @property
    def deadline(self) -> float | None:
        """When a Tick is due; None when nothing waits for time."""
        return None if self.closed else self._deadline

    @property
    def config(self) -> SessionConfig:
        return self._ctx.config

    @property
    def input_full(self) -> bool:
        """The client has sent so much audio ahead of its legs that it is to wait."""
        return self._legs.full

    def open_leases(self) -> int:
        return len(self._ctx.leases)

    def handle(self, event: CoreEvent, now: float) -> list[Effect]:
        """Take in one event. After the end of the call nothing has an effect."""
        if self.closed:
            return self._refuse_claim(event)
        self._ctx.now = max(now, self._ctx.now)
        self._handlers[type(event)](event)
        if type(event) is not ask.AppendAudio:  # the one that comes fifty times a second
            if not self.closed:
                self._answers.answer_owed()
                self._depart()
            self._idle.look()
            self._deadline = self._next_deadline()
        return self._ctx.drain()

    def _refuse_claim(self, event: CoreEvent) -> list[Effect]:
        if isinstance(event, WorkerFrame) and event.event.HasField("claim"):
            return [Answer(event.reply, Grant(granted=False, reason="call_over"))]
        return []

    # --- the connection ---

    def _opened(self, _event: Opened) -> None:
        self._began_at = self._ctx.now
        self._expiry = self._ctx.now + self._ctx.limits.session_s
        self._ctx.send(out.SessionCreated(self._ctx.session_id, self._expires_at, self._ctx.config))
        self._refused(self._unable, None)

    def _invalid(self, event: ask.Invalid) -> None:
        self._ctx.error(event.code, event.message, param=event.param, event_id=event.event_id)

    def _displaced(self, _event: Displaced) -> None:
        self._ctx.error("session_taken_over", "Another call has the session.", type="server_error")
        self._close(POLICY_VIOLATION, "session taken over")

    def _expelled(self, event: Expelled) -> None:
        self._ctx.error(event.code, event.message)
        self._close(POLICY_VIOLATION, event.reason)

    def _not_stored(self, _event: NotStored) -> None:
        text = "What was said cannot all be stored: some of it may be missing when the session is resumed."
        self._ctx.error("not_stored", text, type="server_error")

    def _close(self, code: int, reason: str) -> None:
        self._end()
        self._ctx.emit(Close(code, reason))

    def _end(self) -> None:
        """Give up all that the call holds."""
        self._answers.end_all()
        self._ctx.cancel(self._ctx.leases.ids())
        self.closed = True

    def _depart(self) -> None:
        close = self._departure.look() or self._outage.look()
        if close is not None:
            self._close(close.code, close.reason)

    def _update_session(self, event: ask.UpdateSession) -> None:
        ctx = self._ctx
        config, wrong = merge_session(ctx.config, event.patch)
        wrong += model_change(ctx.config, event.patch)
        if config.moshi is not None:
            config, unable = within_moshi(config)
            wrong += unable
        if self._refused(self._locks.changed_by_update(ctx.config, config, event.patch), event):
            return
        wrong = [*event.errors, *wrong]
        if config.audio.output.voice != ctx.config.audio.output.voice and self._answers.has_spoken:
            config = with_voice(config, ctx.config.audio.output.voice)
            text = "Cannot update a conversation's voice if assistant audio is present."
            wrong.append(FieldError("session.audio.output.voice", "cannot_update_voice", text))
        self._refused(wrong, event)
        self._answers.drop_speculation()
        changed = config != ctx.config
        if changed:
            self._idle.stirred()
            ctx.config = config
            ctx.emit(PutConfig(config))
            self._legs.reconfigure()
        if changed or not wrong:  # an update of which nothing is right is answered by its errors alone
            ctx.send(out.SessionUpdated(ctx.session_id, self._expires_at, config))

    def _refused(self, wrong: list[FieldError], event: ask.ClientEvent | None) -> bool:
        """Tell the client each field of its event that is refused; whether there is any."""
        event_id = event.event_id if event else None
        for field in wrong:
            self._ctx.error(field.code, field.message, param=field.param, event_id=event_id)
        return bool(wrong)

    # --- input audio ---

    def _append(self, event: ask.AppendAudio) -> None:
        if self._departure.ending:
            self._ctx.error("input_ended", "The client has ended its input.", event_id=event.event_id)
            return
        behind = self._legs.behind
        self._legs.append(event.audio)
        if self._legs.brought_too_fast(since=self._began_at):
            text = "More audio came than a call may bring in its time."
            self._expelled(Expelled("audio_too_fast", text, "audio too fast"))
        elif self._legs.behind != behind:
            self._deadline = self._next_deadline()

    def _commit(self, event: ask.CommitAudio) -> None:
        self._idle.stirred()
        if not self._legs.has_ears:
            message = (
                "There is no input transcription in this call: Moshi hears all of the input as it comes."
            )
            self._ctx.error(CODE, message, param="type", event_id=event.event_id)
            return
        if not self._turns.commit():
            held_ms = self._turns.buffered_us() / 1000
            self._ctx.error(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, "
                f"but buffer only has {held_ms:.2f}ms of audio.",
                event_id=event.event_id,
            )

    def _clear(self, _event: ask.ClearAudio) -> None:
        self._answers.drop_speculation()
        if self._ears.leased:
            self._turns.clear()
        self._ctx.send(out.InputCleared())

    # --- items ---

    def _create_item(self, event: ask.CreateItem) -> None:
        if self._ctx.config.moshi is not None:
            message = "Moshi hears the caller alone: no item can be given to it."
            self._ctx.error(CODE, message, param="item", event_id=event.event_id)
            return
        self._idle.stirred()
        self._answers.drop_speculation()
        self._items.create(event)

    def _delete_item(self, event: ask.DeleteItem) -> None:
        self._answers.drop_speculation()
        self._items.delete(event)

    def _create_response(self, event: ask.CreateResponse) -> None:
        self._idle.stirred()
        config, why = self._ctx.config, ""
        if config.listens_only:
            why = "A transcription session has no responses: response.create is not supported in it."
        elif config.moshi is not None:
            why = "Moshi decides by itself when to speak: response.create is not supported with it."
        if why:
            self._ctx.error("response_create_not_supported", why, event_id=event.event_id)
        elif not self._refused(self._locks.changed_by_options(config, event.options), event):
            self._answers.requested(event)

    # --- workers ---

    def _worker(self, frame: WorkerFrame) -> None:
        event = frame.event
        lease = self._ctx.leases.get(event.lease_id)
        if event.HasField("claim"):
            grant = self._grants.answer(lease, event)
            self._ctx.emit(Answer(frame.reply, grant))
            leg = self._legs.by_lease(event.lease_id)
            if grant.granted and leg is not None:
                leg.replay()
            return
        if lease is None:
            return
        if event.HasField("failed") and event.failed.final and event.attempt >= lease.attempt:
            self._troubles.work_failed(lease, event)
            return
        for ready in lease.take(event, self._ctx.now, patience_s=self._ctx.limits.reorder_s):
            if self._ctx.leases.get(lease.id) is lease and ready.WhichOneof("body") in SAYS[lease.stage]:
                self._say(lease, ready)

    def _say(self, lease: HeldLease, event: WorkerEvent) -> None:
        """An event of the holder, in its turn."""
        if event.HasField("released"):
            lease.released(self._ctx.now)
            if lease.stage == MOSHI:
                self._sayings.lost()
        elif lease.stage == ASR:
            self._hearing.take(event)
        elif lease.stage == MOSHI:
            self._sayings.take(event)
        else:
            self._answers.worker_event(lease, event)

    # --- time ---

    def _tick(self, _event: Tick) -> None:
        now = self._ctx.now
        if self._expiry is not None and now >= self._expiry:
            minutes = round(self._ctx.limits.session_s / 60)
            self._ctx.error("session_expired", f"Your session hit the maximum duration of {minutes} minutes.")
            self._close(GOING_AWAY, "session expired")
            return
        self._depart()
        if self.closed:
            return
        self._hearing.give_up_overdue()
        self._answers.pump()
        if not self._departure.ending:
            self._idle.trigger()
        self._troubles.look()

    def _next_deadline(self) -> float | None:
        idle_due = None if self._departure.ending else self._idle.due()
        times = [self._expiry, self._departure.due(), self._turns.due(), self._recordings.due()]
        times += [self._answers.due(), idle_due]
        times += [self._outage.due(), self._troubles.due()]
        return min((time for time in times if time is not None), default=None)
