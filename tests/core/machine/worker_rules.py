"""What workers do, the broker between them and the call, and time."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from dialtone.gateway.core import effects as do
from dialtone.gateway.core.formats import audio_format
from dialtone.v1.common_pb2 import AudioFormat, Error
from dialtone.v1.ears_pb2 import AudioProgress, SpeechSustained, Transcript
from dialtone.v1.events_pb2 import LegDone, Released, ReplayRequest, WorkerEvent
from dialtone.v1.turn_pb2 import TurnDone
from tests.core.harness import Worker

from .client_rules import WHICH, Machine, while_live
from .requests import PCMU

TEXTS = st.sampled_from(
    [
        "Well",
        ", this is it. ",
        "It costs 3.",
        "5 pounds! And then",
        " ",
        "",
        "\n",
        "…",
        "是的。你好！",
        "Yes.",
    ]
)
WORDS = st.sampled_from(["", "Hello there", "What time is it?", "ja", "你好"])
REASONS = st.sampled_from(list(TurnDone.FinishReason.values()))
KINDS = st.sampled_from([Transcript.KIND_PARTIAL, Transcript.KIND_CANDIDATE, Transcript.KIND_FINAL])
BACK = st.sampled_from([0, 0, 0, 0, 1, 2, -1])  # of an utterance's number
PLACES_MS = st.sampled_from([0, 0, 40, 300, 2000, -500])  # before the end of what was sent
SECONDS = st.sampled_from([0.01, 0.3, 1.0, 4.0, 6.0, 16.0, 25.0])

while_thinking = precondition(lambda self: self.live and self.players.of("llm") is not None)
while_voicing = precondition(lambda self: self.live and self.players.of("tts") is not None)
while_hearing = precondition(lambda self: self.live and self.players.of("asr") is not None)
while_saying = precondition(lambda self: self.live and self.players.of("moshi") is not None)
while_working = precondition(lambda self: self.live and self.players.workers)


class WorkerRules(Machine):
    def _by(self, worker: Worker | None, act: Callable[[Worker], object]) -> None:
        if worker is not None:
            act(worker)

    # --- leases

    @while_live
    @rule()
    def all_work_is_taken(self) -> None:
        self.players.claim_all()

    @while_live
    @rule()
    def all_work_is_done(self) -> None:
        self.players.finish_all()

    @while_live
    @rule(which=WHICH, attempt=st.integers(-1, 3))
    def claim(self, which: int, attempt: int) -> None:
        self.players.claim(which, attempt)

    @while_working
    @rule(which=WHICH, final=st.booleans())
    def work_fails(self, which: int, final: bool) -> None:
        self._by(self.players.anyone(which), lambda worker: worker.failed("broken", final=final))

    @while_working
    @rule(which=WHICH)
    def work_is_given_back(self, which: int) -> None:
        self._by(self.players.anyone(which), lambda worker: worker.say(released=Released(reason="going")))

    @while_live
    @rule(which=WHICH, code=st.sampled_from(["overloaded", "work_too_large", "bus_unavailable"]))
    def work_is_not_queued(self, which: int, code: str) -> None:
        leases = list(self.rig.leases.leases)
        lease_id = leases[-1 - which % len(leases)] if leases else "unheard"
        self.rig.feed(do.SubmitFailed(lease_id, code, "not taken"))

    @while_working
    @rule(which=WHICH)
    def worker_is_gone(self, which: int) -> None:
        self._by(self.players.anyone(which), lambda worker: worker.gone())

    @while_live
    @rule(connected=st.booleans())
    def broker_comes_or_goes(self, connected: bool) -> None:
        self.rig.feed(do.BrokerSeen(connected))

    # --- models

    @while_thinking
    @rule(which=WHICH, text=TEXTS, again=st.integers(1, 3))
    def model_writes(self, which: int, text: str, again: int) -> None:
        self._by(self.players.of("llm", which), lambda worker: [worker.text(text) for _ in range(again)])

    @while_thinking
    @rule(
        which=WHICH, index=st.integers(0, 2), arguments=st.sampled_from(["", "{}", '{"x": [1]}', "nonsense"])
    )
    def model_calls_tool(self, which: int, index: int, arguments: str) -> None:
        self._by(self.players.of("llm", which), lambda worker: worker.tool(index, "look_up", arguments))

    @while_thinking
    @rule(which=WHICH, reason=REASONS)
    def model_is_done(self, which: int, reason: TurnDone.FinishReason) -> None:
        self._by(self.players.of("llm", which), lambda worker: worker.done(reason))

    # --- voices

    @while_voicing
    @rule(which=WHICH, ms=st.sampled_from([0, 20, 300, 2000, 7000]))
    def voice_makes_sound(self, which: int, ms: int) -> None:
        self.players.claim_all("tts")
        self._by(self.players.of("tts", which), lambda worker: self.players.makes_sound(worker, ms))

    @while_voicing
    @rule(which=WHICH, notice=st.sampled_from(["", "another voice"]))
    def voice_is_done(self, which: int, notice: str) -> None:
        self._by(self.players.of("tts", which), lambda worker: self.players.ends_sentence(worker, notice))

    # --- ears

    @while_live
    @rule(text=WORDS)
    def user_takes_a_turn(self, text: str) -> None:
        self.rig.speak(20)
        self.players.claim_all("asr")
        self._by(self.players.of("asr"), lambda worker: self.players.voice_turn(worker, text))

    @while_hearing
    @rule(which=WHICH, back_ms=PLACES_MS, known=st.booleans(), back=BACK)
    def speech_starts(self, which: int, back_ms: int, known: bool, back: int) -> None:
        def act(worker: Worker) -> None:
            if known:
                worker.started(max(0, self.players.utterance - back), max(0, self.players.input_ms - back_ms))
            else:
                self.players.speech_starts(worker, back_ms)

        self._by(self.players.of("asr", which), act)

    @while_hearing
    @rule(which=WHICH, back=BACK)
    def speech_is_sustained(self, which: int, back: int) -> None:
        sustained = SpeechSustained(utterance=max(0, self.players.utterance - back))
        self._by(self.players.of("asr", which), lambda worker: worker.say(speech_sustained=sustained))

    @while_hearing
    @rule(which=WHICH, back=BACK, back_ms=PLACES_MS)
    def speech_stops(self, which: int, back: int, back_ms: int) -> None:
        number, end_ms = max(0, self.players.utterance - back), max(0, self.players.input_ms - back_ms)
        self._by(self.players.of("asr", which), lambda worker: worker.stopped(number, end_ms))

    @while_hearing
    @rule(which=WHICH, back=BACK, kind=KINDS, text=WORDS)
    def words_come(self, which: int, back: int, kind: Transcript.Kind, text: str) -> None:
        number = max(0, self.players.utterance - back)
        self._by(self.players.of("asr", which), lambda worker: worker.transcript(number, kind, text))

    @while_hearing
    @rule(which=WHICH, back=BACK)
    def words_fail(self, which: int, back: int) -> None:
        final = Transcript(
            utterance=max(0, self.players.utterance - back),
            kind=Transcript.KIND_FINAL,
            error=Error(code="broken", message="broken"),
        )
        self._by(self.players.of("asr", which), lambda worker: worker.say(transcript=final))

    @while_hearing
    @rule(which=WHICH, seq=st.none() | st.integers(0, 60))
    def ears_report(self, which: int, seq: int | None) -> None:
        def act(worker: Worker) -> None:
            if seq is None:
                worker.heard()
            else:
                worker.say(progress=AudioProgress(audio_us=seq * 20_000, next_seq=seq))

        self._by(self.players.of("asr", which), act)

    @while_hearing
    @rule(which=WHICH, seq=st.integers(0, 60))
    def ears_want_a_replay(self, which: int, seq: int) -> None:
        replay = ReplayRequest(from_seq=seq)
        self._by(self.players.of("asr", which), lambda worker: worker.say(replay=replay))

    @while_hearing
    @rule(which=WHICH)
    def ears_are_done(self, which: int) -> None:
        self._by(self.players.of("asr", which), lambda worker: worker.say(leg_done=LegDone()))

    # --- Moshi

    @while_live
    @rule(text=WORDS, ms=st.sampled_from([80, 400, 2000]))
    def moshi_speaks(self, text: str, ms: int) -> None:
        self.rig.speak(20)
        self.players.claim_all("moshi")

        def act(worker: Worker) -> None:
            number = self.rig.call._sayings.next_number
            worker.begins(number, self.players.input_ms)
            worker.words(number, text)
            worker.sounds(number, ms)

        self._by(self.players.of("moshi"), act)

    @while_saying
    @rule(which=WHICH, back=BACK, audio_ms=st.sampled_from([0, 500, 10_000]), pcmu=st.booleans())
    def saying_starts(self, which: int, back: int, audio_ms: int, pcmu: bool) -> None:
        form = audio_format(PCMU) if pcmu else AudioFormat()
        number = max(0, self.rig.call._sayings.next_number - back)
        self._by(self.players.of("moshi", which), lambda worker: worker.begins(number, audio_ms, form))

    @while_saying
    @rule(which=WHICH, back=BACK, text=TEXTS)
    def saying_has_words(self, which: int, back: int, text: str) -> None:
        number = max(0, self.rig.call._sayings.next_number - 1 - back)
        self._by(self.players.of("moshi", which), lambda worker: worker.words(number, text))

    @while_saying
    @rule(which=WHICH, back=BACK, ms=st.sampled_from([0, 80, 400]))
    def saying_sounds(self, which: int, back: int, ms: int) -> None:
        number = max(0, self.rig.call._sayings.next_number - 1 - back)
        self._by(self.players.of("moshi", which), lambda worker: worker.sounds(number, ms, bytes(2 * ms)))

    @while_saying
    @rule(which=WHICH, back=BACK)
    def saying_stops(self, which: int, back: int) -> None:
        number = max(0, self.rig.call._sayings.next_number - 1 - back)
        self._by(self.players.of("moshi", which), lambda worker: worker.ends(number))

    @while_saying
    @rule(which=WHICH, ms=st.none() | st.sampled_from([0, 100, 5_000]))
    def moshi_reports(self, which: int, ms: int | None) -> None:
        self._by(self.players.of("moshi", which), lambda worker: worker.heard_input(ms))

    @while_saying
    @rule(which=WHICH, seq=st.integers(0, 60))
    def moshi_wants_a_replay(self, which: int, seq: int) -> None:
        replay = ReplayRequest(from_seq=seq)
        self._by(self.players.of("moshi", which), lambda worker: worker.say(replay=replay))

    @while_saying
    @rule(which=WHICH)
    def moshi_is_done(self, which: int) -> None:
        self._by(self.players.of("moshi", which), lambda worker: worker.say(leg_done=LegDone()))

    # --- recordings in items

    @while_live
    @rule(which=WHICH, text=WORDS, fails=st.booleans(), kind=KINDS)
    def recording_is_heard(self, which: int, text: str, fails: bool, kind: Transcript.Kind) -> None:
        self.players.claim_all("recording")
        transcript = Transcript(kind=kind, text=text)
        if fails:
            transcript = Transcript(kind=kind, error=Error(code="broken", message="broken"))
        self._by(self.players.of("recording", which), lambda worker: worker.say(transcript=transcript))

    # --- what happens on the way

    @while_working
    @rule(which=WHICH)
    def event_is_lost(self, which: int) -> None:
        self._by(self.players.anyone(which), lambda worker: worker.skip())

    @while_working
    @rule(which=WHICH, seq=st.integers(0, 3))
    def old_event_comes_again(self, which: int, seq: int) -> None:
        def act(worker: Worker) -> None:
            lease_id, attempt = worker.work.lease_id, worker.attempt
            event = WorkerEvent(lease_id=lease_id, attempt=attempt, seq=seq, turn_done=TurnDone())
            self.rig.feed(do.WorkerFrame(event))

        if which > 3:  # of a living worker, a low number would be one that it has not used yet
            self._by(self.players.anyone(which), act)

    @while_working
    @rule(which=WHICH, text=TEXTS, what=st.integers(0, 4))
    def worker_of_another_stage_speaks(self, which: int, text: str, what: int) -> None:
        acts: list[Callable[[Worker], object]] = [
            lambda worker: worker.text(text),
            lambda worker: worker.done(),
            lambda worker: worker.spoken(),
            lambda worker: worker.started(self.players.utterance, 0),
            lambda worker: worker.begins(1),
        ]
        self._by(self.players.anyone(which), acts[what])

    # --- time

    @while_live
    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.rig.wait(seconds)

    @while_live
    @rule(seconds=SECONDS, tick=st.booleans())
    def process_is_late(self, seconds: float, tick: bool) -> None:
        self.rig.now += seconds
        if tick:
            self.rig.feed(do.Tick())
