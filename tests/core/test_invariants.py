"""What holds of a call whatever its client and its workers do, in any order."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.items import FunctionCallOutputItem, InputText, MessageItem
from dialtone.gateway.core.session import Audio, AudioInput, ServerVad, SessionConfig
from dialtone.v1.ears_pb2 import Transcript
from dialtone.v1.work_pb2 import Work

from .harness import Rig, Worker

CONFIGS = [
    SessionConfig(),
    SessionConfig(output_modalities=["text"]),
    SessionConfig(audio=Audio(input=AudioInput(turn_detection=None))),
    SessionConfig(audio=Audio(input=AudioInput(turn_detection=ServerVad(interrupt_response=False)))),
]
CLIENT: list[Callable[[], ask.ClientEvent]] = [
    lambda: ask.CommitAudio(),
    lambda: ask.ClearAudio(),
    lambda: ask.CreateResponse(),
    lambda: ask.CreateResponse(options=ask.ResponseOptions(conversation="none", input=[])),
    lambda: ask.CancelResponse(),
    lambda: ask.CreateItem(item=MessageItem("", "user", [InputText("hi")])),
    lambda: ask.CreateItem(item=FunctionCallOutputItem("", "call_0", "42")),
    lambda: ask.CreateItem(item=MessageItem("fixed", "user", [InputText("hi")]), previous_item_id="root"),
    lambda: ask.DeleteItem(item_id="fixed"),
    lambda: ask.TruncateItem(item_id="fixed", content_index=0, audio_end_ms=10),
    lambda: ask.EndInput(),
    lambda: ask.Disconnected(),
]


class Players:
    """Workers for whatever the call submits; each step one of them does something."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.workers: list[Worker] = []
        self.utterance = 0

    def submitted(self) -> list[tuple[str, Work]]:
        return [(e.stage, e.work) for e in self.rig.effects if isinstance(e, do.Submit)]

    def claim(self, which: int, attempt: int) -> None:
        works = self.submitted()
        if works:
            work = works[which % len(works)][1]
            self.workers.append(self.rig.claim(work, work.attempt_base + attempt))

    def act(self, which: int, what: int) -> None:
        if not self.workers:
            return
        worker = self.workers[which % len(self.workers)]
        kind = worker.work.WhichOneof("body")
        actions: list[Callable[[], object]]
        if kind == "turn":
            actions = [
                lambda: worker.text("Well, this is it. "),
                lambda: worker.text("And"),
                lambda: worker.tool(0, "look", "{}"),
                worker.done,
            ]
        elif kind == "sentence":
            actions = [lambda: worker.audio(0, 300), lambda: worker.audio(300, 300), worker.spoken]
        else:
            number = self.utterance
            actions = [
                self.start(worker),
                lambda: worker.stopped(number, 1000),
                lambda: worker.final(number, "Hello there"),
                lambda: worker.final(number, ""),
                lambda: worker.transcript(number, Transcript.KIND_CANDIDATE, "Hello there"),
                lambda: worker.say(leg_done={}),
            ]
        actions += [lambda: worker.failed("broken"), worker.skip]
        actions[what % len(actions)]()

    def start(self, worker: Worker) -> Callable[[], object]:
        def begin() -> None:
            self.utterance += 1
            worker.started(self.utterance, 0)

        return begin


STEPS = st.lists(
    st.tuples(st.sampled_from("ccccaaaaaaaaaasst"), st.integers(0, 30), st.integers(0, 30)), max_size=60
)


def play(config: SessionConfig, steps: list[tuple[str, int, int]]) -> Rig:
    rig = Rig(config)
    players = Players(rig)
    for kind, first, second in steps:
        if kind == "c":
            players.claim(first, second % 3)
        elif kind == "a":
            players.act(first, second)
        elif kind == "s":
            rig.feed(CLIENT[first % len(CLIENT)]())
            rig.speak(120)
        else:
            rig.wait(second / 2)
    return rig


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(CONFIGS), STEPS)
def test_every_response_that_opens_ends_exactly_once_and_in_order(
    config: SessionConfig, steps: list[tuple[str, int, int]]
) -> None:
    rig = play(config, steps)
    rig.feed(ask.Disconnected())
    open_parts: set[str] = set()
    state: dict[str, str] = {}
    conversational: list[str] = []
    for event in rig.sent:
        if isinstance(event, out.ResponseCreated):
            assert event.response.id not in state
            state[event.response.id] = "open"
            if event.response.conversation_id is not None:
                assert not conversational, "two responses write to the conversation"
                conversational.append(event.response.id)
        elif isinstance(event, out.ResponseDone):
            assert state[event.response.id] == "open"
            state[event.response.id] = event.response.status
            assert event.response.status != "in_progress"
            if event.response.id in conversational:
                conversational.remove(event.response.id)
        elif isinstance(event, out.ContentPartAdded):
            assert state[event.response_id] == "open"
            open_parts.add(event.item_id)
        elif isinstance(event, out.ContentPartDone):
            open_parts.remove(event.item_id)
        elif isinstance(event, out.OutputAudioDelta | out.AudioTranscriptDelta | out.OutputTextDelta):
            assert event.item_id in open_parts
    assert not open_parts
    assert "open" not in state.values()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CONFIGS), STEPS)
def test_items_stand_where_the_events_said(config: SessionConfig, steps: list[tuple[str, int, int]]) -> None:
    rig = play(config, steps)
    order: list[str] = []
    for event in rig.sent:
        if isinstance(event, out.ItemAdded):
            assert event.item.id not in order
            at = 0 if event.previous_item_id is None else order.index(event.previous_item_id) + 1
            order.insert(at, event.item.id)
        elif isinstance(event, out.ItemDeleted):
            order.remove(event.item_id)
    assert order == [item.id for item in rig.call._ctx.conversation]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CONFIGS), STEPS)
def test_a_call_that_is_over_holds_nothing_and_does_nothing(
    config: SessionConfig, steps: list[tuple[str, int, int]]
) -> None:
    rig = play(config, steps)
    rig.feed(ask.Disconnected())
    assert rig.call.open_leases() == 0
    assert rig.call.deadline is None
    for client_event in CLIENT:
        assert rig.feed(client_event()) == []


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CONFIGS), STEPS)
def test_a_recorded_call_can_be_replayed(config: SessionConfig, steps: list[tuple[str, int, int]]) -> None:
    def shown(rig: Rig) -> list[str]:
        return [repr(effect) for effect in rig.effects]

    assert shown(play(config, steps)) == shown(play(config, steps))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(CONFIGS), STEPS)
def test_positions_on_the_audio_clock_never_go_back(
    config: SessionConfig, steps: list[tuple[str, int, int]]
) -> None:
    rig = play(config, steps)
    seen: dict[int, tuple[int, int]] = {}
    for frame in rig.inputs():
        if frame.attempt in seen:
            last_seq, last_us = seen[frame.attempt]
            if frame.seq > last_seq:
                assert frame.start_us >= last_us
                seen[frame.attempt] = (frame.seq, frame.start_us)
        else:
            seen[frame.attempt] = (frame.seq, frame.start_us)
