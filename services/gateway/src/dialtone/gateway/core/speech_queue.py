"""The sentences of a response on their way to being heard: leased in order, sent in order.

A few sentences are synthesised at once, and only so far ahead of what can have been played, so that
an interruption wastes little. Their audio is sent strictly in the order of the text.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Protocol

from dialtone.v1.common_pb2 import AudioFormat as AudioFormatMessage
from dialtone.v1.common_pb2 import Error
from dialtone.v1.speech_pb2 import AudioChunk, Sentence, SentenceDone, Voice

from .context import TTS, Context
from .playback import Playback
from .spoken_text import SpokenSentence, SpokenText


class Listener(Protocol):
    """Where the queue's results go, in the order in which they are to be heard."""

    def spoken_audio(self, audio: bytes) -> None: ...

    def sentence_spoken(self, index: int, text: str) -> None: ...

    def sentence_failed(self, index: int, error: Error) -> None: ...

    def voice_notice(self, notice: str) -> None: ...

    def spoken_by(self, voice: str, backend: str) -> None: ...


@dataclass(slots=True)
class QueuedSentence:
    index: int
    text: str
    received_us: int = 0  # audio taken in, sent on or waiting; also by attempts before
    waiting: deque[AudioChunk] = field(default_factory=deque)  # behind an earlier sentence
    sent_us: int = 0
    done: bool = False
    error: Error | None = None


class SpeechQueue:
    def __init__(
        self,
        context: Context,
        listener: Listener,
        *,
        response_id: str,
        voice: Voice,
        audio_format: AudioFormatMessage,
        busy_until: float = 0.0,
    ) -> None:
        """`busy_until`: when the client's player is through with what it was sent before."""
        self._ctx = context
        self._listener = listener
        self._response_id = response_id
        self._voice = voice
        self._format = audio_format
        self._sentences: list[QueuedSentence] = []
        self._current = 0  # the sentence whose audio goes out as it comes
        self._submitted = 0  # how many are, or were, with a voice
        self._running: dict[str, QueuedSentence] = {}  # those that are, by lease
        self._waiting_us = 0  # audio behind a sentence that is not there yet
        self._cut_us: int | None = None  # the client hears no further
        self.playback = Playback(busy_until)
        self.pump_at: float | None = None  # when more may be synthesised

    @property
    def idle(self) -> bool:
        """Everything added was sent, or failed, or is not wanted any more."""
        return self.stopped or self._current == len(self._sentences)

    @property
    def stopped(self) -> bool:
        return self._cut_us is not None

    def has(self, lease_id: str) -> bool:
        """Whether a sentence is being synthesised under this lease."""
        return lease_id in self._running

    def speak_as(self, voice: Voice) -> None:
        """From the next sentence on that no voice has yet."""
        self._voice = voice

    def add(self, text: str, *, lease_id: str = "") -> None:
        """Queue a sentence; with `lease_id`, the first, that is being synthesised already."""
        if self.stopped:
            return
        self._sentences.append(QueuedSentence(len(self._sentences), text))
        if lease_id:
            self._runs(lease_id)
        self.pump()

    def _runs(self, lease_id: str) -> None:
        self._running[lease_id] = self._sentences[self._submitted]
        self._submitted += 1

    def pump(self) -> None:
        """Submit what may be submitted now; otherwise say when to look again."""
        ctx, limits = self._ctx, self._ctx.limits
        self.pump_at = None
        while self._submitted < len(self._sentences) and len(self._running) < limits.sentences_in_flight:
            # What waits behind a slow sentence is not sent, and is ahead of playback all the same.
            ahead_us = limits.ahead_us - self._waiting_us
            if ahead_us < 0:
                return
            if self.playback.unplayed_us(ctx.now) > ahead_us:
                self.pump_at = ctx.now + self.playback.time_until_unplayed(ahead_us, ctx.now)
                return
            sentence = self._sentences[self._submitted]
            self._runs(ctx.submit(TTS, sentence=self.work_of(sentence.index, sentence.text)).id)

    def work_of(self, index: int, text: str) -> Sentence:
        return Sentence(
            response_id=self._response_id, index=index, text=text, voice=self._voice, format=self._format
        )

    def delivered_us(self, lease_id: str) -> int:
        """Audio of this sentence that another attempt need not make again."""
        sentence = self._running.get(lease_id)
        return sentence.received_us if sentence else 0

    def chunk(self, lease_id: str, chunk: AudioChunk) -> None:
        sentence = self._running.get(lease_id)
        if sentence is None:
            return
        sentence.received_us = chunk.start_us + chunk.duration_us
        if sentence.index == self._current:
            self._send(sentence, chunk)
        else:
            sentence.waiting.append(chunk)
            self._waiting_us += chunk.duration_us

    def finished(self, lease_id: str, done: SentenceDone) -> None:
        if done.notice:
            self._listener.voice_notice(done.notice)
        if done.voice and done.backend:
            self._listener.spoken_by(done.voice, done.backend)
        self._end(lease_id, None)

    def failed(self, lease_id: str, error: Error) -> None:
        self._end(lease_id, error)

    def _end(self, lease_id: str, error: Error | None) -> None:
        sentence = self._running.pop(lease_id, None)
        if sentence is None:
            return
        sentence.done, sentence.error = True, error
        self._ctx.leases.close(lease_id)
        self._advance()
        self.pump()

    def _advance(self) -> None:
        while not self.idle:
            sentence = self._sentences[self._current]
            while sentence.waiting:
                chunk = sentence.waiting.popleft()
                self._waiting_us -= chunk.duration_us
                self._send(sentence, chunk)
            if not sentence.done:
                return
            self._current += 1
            if sentence.error is not None:
                self._listener.sentence_failed(sentence.index, sentence.error)
            self._listener.sentence_spoken(sentence.index, sentence.text)

    def _send(self, sentence: QueuedSentence, chunk: AudioChunk) -> None:
        sentence.sent_us += chunk.duration_us
        self.playback.sent(chunk.duration_us, self._ctx.now)
        self._listener.spoken_audio(chunk.audio)

    def stop(self, heard_us: int) -> list[str]:
        """Say no more; of what was sent, no more than this is heard. Returns the leases to cancel."""
        before = self.playback.sent_us if self._cut_us is None else self._cut_us
        self._cut_us = min(heard_us, before)
        if self._cut_us < self.playback.sent_us:
            self.playback.stop()
        running = list(self._running)
        self._running.clear()
        for sentence in self._sentences:
            sentence.waiting.clear()
        self._waiting_us = 0
        self._submitted = len(self._sentences)
        self.pump_at = None
        return running

    def spoken(self) -> SpokenText:
        """How text and sound go together, as far as the sound was sent."""
        sentences = tuple(SpokenSentence(s.text, s.sent_us, s.done) for s in self._sentences)
        ends_us = self.playback.sent_us if self._cut_us is None else self._cut_us
        return SpokenText(sentences, ends_us)
