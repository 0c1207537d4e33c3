"""A call core driven by hand: workers are played by the test, time by a number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

from dialtone.gateway.core import client_events as ask
from dialtone.gateway.core import effects as do
from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.call import Call, CoreEvent
from dialtone.gateway.core.context import Limits
from dialtone.gateway.core.items import Item
from dialtone.gateway.core.recording import Beginning, RecordedCall
from dialtone.gateway.core.session import SessionConfig
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AudioFormat, Error, Usage
from dialtone.v1.ears_pb2 import (
    AudioProgress,
    EarsInput,
    SpeechStarted,
    SpeechStopped,
    SpeechSustained,
    Transcript,
)
from dialtone.v1.events_pb2 import WorkerEvent, WorkFailed
from dialtone.v1.lease_pb2 import Claim, Grant
from dialtone.v1.moshi_pb2 import SayingAudio, SayingStarted, SayingStopped, SayingText
from dialtone.v1.speech_pb2 import AudioChunk, SentenceDone
from dialtone.v1.turn_pb2 import TextDelta, ToolCallDelta, TurnDone
from dialtone.v1.work_pb2 import Work

PCM = AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=24_000)
FRAME = b"\x01\x00" * 480  # 20 ms at 24 kHz


class Worker:
    """One attempt at one piece of work."""

    def __init__(self, rig: Rig, work: Work, attempt: int) -> None:
        self._rig, self.work, self.attempt = rig, work, attempt
        self._seq = count(1)

    @property
    def instance(self) -> str:
        return f"{self.work.lease_id}-{self.attempt}"

    def gone(self) -> list[do.Effect]:
        """Its process was killed, and the gateway has noticed."""
        return self._rig.feed(do.WorkerGone(self.instance))

    def say(self, **body: Any) -> list[do.Effect]:
        return self._rig.feed(self.send(**body))

    def send(self, **body: Any) -> do.WorkerFrame:
        """An event on its way: to be fed when it arrives."""
        return do.WorkerFrame(
            WorkerEvent(lease_id=self.work.lease_id, attempt=self.attempt, seq=next(self._seq), **body)
        )

    def skip(self) -> None:
        """Lose an event on the way."""
        next(self._seq)

    # what text models say
    def text(self, text: str) -> list[do.Effect]:
        return self.say(text=TextDelta(text=text))

    def tool(self, index: int, name: str, arguments: str) -> None:
        self.say(tool_call=ToolCallDelta(index=index, call_id=f"call_{index}", name=name))
        self.say(tool_call=ToolCallDelta(index=index, arguments=arguments))

    def done(self, reason: TurnDone.FinishReason = TurnDone.FINISH_REASON_STOP) -> list[do.Effect]:
        usage = Usage(input_tokens=10, cached_tokens=4, output_tokens=5)
        return self.say(turn_done=TurnDone(finish_reason=reason, usage=usage))

    # what voices say
    def audio(self, start_ms: int, ms: int, data: bytes = b"\x02\x00") -> list[do.Effect]:
        chunk = AudioChunk(audio=data, start_us=start_ms * 1000, duration_us=ms * 1000)
        return self.say(audio=chunk)

    def spoken(self) -> list[do.Effect]:
        return self.say(sentence_done=SentenceDone())

    # what ears say
    def started(self, number: int, start_ms: int) -> list[do.Effect]:
        return self.say(speech_started=SpeechStarted(utterance=number, audio_start_us=start_ms * 1000))

    def sustained(self, number: int) -> list[do.Effect]:
        return self.say(speech_sustained=SpeechSustained(utterance=number))

    def stopped(self, number: int, end_ms: int) -> list[do.Effect]:
        return self.say(
            speech_stopped=SpeechStopped(
                utterance=number, audio_end_us=end_ms * 1000, speech_end_us=end_ms * 1000
            )
        )

    def transcript(self, number: int, kind: Transcript.Kind, text: str) -> list[do.Effect]:
        return self.say(transcript=Transcript(utterance=number, kind=kind, text=text, language="en"))

    def final(self, number: int, text: str) -> list[do.Effect]:
        return self.transcript(number, Transcript.KIND_FINAL, text)

    def partial(self, number: int, text: str) -> list[do.Effect]:
        return self.transcript(number, Transcript.KIND_PARTIAL, text)

    def candidate(self, number: int, text: str) -> list[do.Effect]:
        return self.transcript(number, Transcript.KIND_CANDIDATE, text)

    def heard(self) -> list[do.Effect]:
        """All that was sent so far."""
        ears = self._rig.call._ears
        return self.say(progress=AudioProgress(audio_us=ears.input_us, next_seq=ears._next_seq))

    # what Moshi says
    def begins(self, number: int, audio_ms: int = 0, form: AudioFormat = PCM) -> list[do.Effect]:
        started = SayingStarted(utterance=number, audio_us=audio_ms * 1000, format=form)
        return self.say(saying_started=started)

    def sounds(self, number: int, ms: int, data: bytes = b"\x02\x00") -> list[do.Effect]:
        return self.say(saying_audio=SayingAudio(utterance=number, audio=data, duration_us=ms * 1000))

    def words(self, number: int, text: str) -> list[do.Effect]:
        return self.say(saying_text=SayingText(utterance=number, text=text))

    def ends(self, number: int, tokens: int = 3) -> list[do.Effect]:
        return self.say(saying_stopped=SayingStopped(utterance=number, text_tokens=tokens))

    def heard_input(self, ms: int | None = None) -> list[do.Effect]:
        """Of what Moshi was sent: all of it, or as far as this."""
        link = self._rig.call._legs.moshi
        assert link is not None
        if ms is None:
            return self.say(progress=AudioProgress(audio_us=link.input_us, next_seq=link._next_seq))
        return self.say(progress=AudioProgress(audio_us=ms * 1000, next_seq=ms // 20 + 1))

    # what any may say
    def failed(self, code: str, *, final: bool = True) -> list[do.Effect]:
        return self.say(failed=WorkFailed(error=Error(code=code, message=code), final=final))


class Rig:
    """A call, what it was asked, and what it did."""

    def __init__(
        self,
        config: SessionConfig | None = None,
        items: list[Item] | None = None,
        limits: Limits | None = None,
    ) -> None:
        ids = count(1)
        self.now = 100.0
        beginning = Beginning(
            call_id="call_test",
            session_id="sess_test",
            config=config or SessionConfig(),
            items=items or [],
            expires_at=2_000_000_000,
            limits=limits or Limits(),
            dialect="realtime",
            event_prefix="event_",
            code="",
        )
        self.recording: list[bytes] = []
        self.call: Call = RecordedCall(
            beginning, new_id=lambda prefix: f"{prefix}_{next(ids)}", write=self.recording.append
        )
        self.effects: list[do.Effect] = []
        self.ears: Worker | None = None  # listening, and saying so
        self.feed(do.Opened())

    def feed(self, event: CoreEvent) -> list[do.Effect]:
        effects = self.call.handle(event, self.now)
        self.effects += effects
        return effects

    def wait(self, seconds: float) -> None:
        """Let time pass, with every tick that the call asked for."""
        until = self.now + seconds
        while (deadline := self.call.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.feed(do.Tick())
            if self.call.deadline == deadline:
                raise AssertionError("the tick left its deadline where it was")
        self.now = until

    # --- looking

    @property
    def sent(self) -> list[out.ServerEvent]:
        return [e.event for e in self.effects if isinstance(e, do.Send)]

    def types(self, *, extensions: bool = False) -> list[str]:
        names = [str(event.__struct_config__.tag) for event in self.sent]
        return names if extensions else [n for n in names if not n.startswith("dialtone.")]

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.sent if isinstance(event, kind)]

    def errors(self) -> list[str | None]:
        return [event.error.code for event in self.of(out.Error)]

    def work(self, stage: str) -> list[Work]:
        return [e.work for e in self.effects if isinstance(e, do.Submit) and e.stage == stage]

    def grants(self) -> list[Grant]:
        return [e.grant for e in self.effects if isinstance(e, do.Answer)]

    def inputs(self) -> list[EarsInput]:
        return [e.frame for e in self.effects if isinstance(e, do.SendInput)]

    def cancelled(self) -> list[str]:
        return [lease_id for e in self.effects if isinstance(e, do.Cancel) for lease_id in e.lease_ids]

    def stored(self) -> dict[str, Item]:
        items: dict[str, Item] = {}
        for effect in self.effects:
            if isinstance(effect, do.PutItem):
                items[effect.item.id] = effect.item
            elif isinstance(effect, do.RemoveItem):
                items.pop(effect.item_id, None)  # it may never have come to be stored
        return items

    def closes(self) -> Iterator[do.Close]:
        return (e for e in self.effects if isinstance(e, do.Close))

    # --- playing workers

    def claim(self, work: Work, attempt: int | None = None) -> Worker:
        """Claim a piece of work as a worker does; the answer is the last of `grants`."""
        attempt = work.attempt_base if attempt is None else attempt
        worker = Worker(self, work, attempt)
        claim = Claim(worker_id="w", instance=worker.instance)
        event = WorkerEvent(lease_id=work.lease_id, attempt=attempt, claim=claim)
        self.feed(do.WorkerFrame(event, "_INBOX.1"))
        return worker

    def take(self, stage: str, index: int = -1) -> Worker:
        """The work submitted last to this stage, claimed and granted."""
        worker = self.claim(self.work(stage)[index])
        assert self.grants()[-1].granted, self.grants()[-1].reason
        return worker

    def speak(self, ms: int) -> None:
        """The client sends this much audio, in real time."""
        for _ in range(ms // 20):
            self.feed(ask.AppendAudio(audio=FRAME))
            self.now += 0.02
        if self.ears is not None:
            self.ears.heard()

    def listen(self) -> Worker:
        """Audio begins, and ears are there."""
        self.speak(20)
        self.ears = self.take("asr")
        self.ears.heard()
        return self.ears

    def voice_turn(self, ears: Worker, text: str = "What time is it?", number: int = 1) -> None:
        """The user says something and stops."""
        start = self.inputs()[-1].start_us // 1000
        ears.started(number, start)
        self.speak(1000)
        ears.stopped(number, start + 800)
        ears.final(number, text)

    def answer(self, *sentences: str) -> None:
        """The model says these sentences, and each is spoken for a second."""
        llm = self.take("llm")
        before = len(self.work("tts"))
        llm.text(" ".join(sentences))
        llm.done()
        for index in range(before, before + len(sentences)):
            voice = self.take("tts", index)
            voice.audio(0, 500)
            voice.audio(500, 500)
            voice.spoken()
