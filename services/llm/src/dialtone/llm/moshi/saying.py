"""The events of one call's utterances: numbered, timed, their sound in the client's format."""

from __future__ import annotations

from dialtone.audio import AudioEncoder, Float32, check_format, duration_us
from dialtone.llm.moshi.engine import SAMPLE_RATE
from dialtone.v1.common_pb2 import AudioFormat
from dialtone.v1.moshi_pb2 import SayingAudio, SayingStarted, SayingStopped, SayingText


class Saying:
    """Makes the events; `start` comes first in each utterance and `stop` last."""

    def __init__(self, audio_format: AudioFormat, next_utterance: int) -> None:
        """Raises UnsupportedFormat."""
        check_format(audio_format)
        self._next_format = self._format = audio_format
        self._encoder = AudioEncoder(SAMPLE_RATE, audio_format)
        self._number = next_utterance - 1
        self._bytes = 0

    def change_format(self, audio_format: AudioFormat) -> None:
        """Of the utterances that begin from now on. Raises UnsupportedFormat; then nothing has changed."""
        check_format(audio_format)
        self._next_format = audio_format

    def start(self, heard_us: int) -> SayingStarted:
        """The next utterance begins."""
        self._number += 1
        self._bytes = 0
        self._format = self._next_format
        self._encoder = AudioEncoder(SAMPLE_RATE, self._format)
        return SayingStarted(utterance=self._number, audio_us=heard_us, format=self._format)

    def text(self, text: str) -> SayingText:
        """Words of the utterance."""
        return SayingText(utterance=self._number, text=text)

    def audio(self, pcm: Float32) -> SayingAudio | None:
        """float32 [n] at 24 kHz as far as it is certain in the client's format; None if nothing is yet."""
        return self._chunk(self._encoder.feed(pcm))

    def rest(self) -> SayingAudio | None:
        """What the resampler still holds."""
        return self._chunk(self._encoder.flush())

    def stop(self, heard_us: int, text_tokens: int) -> SayingStopped:
        """The utterance is over; `rest` has been sent."""
        return SayingStopped(
            utterance=self._number,
            duration_us=duration_us(self._format, self._bytes),
            audio_us=heard_us,
            text_tokens=text_tokens,
        )

    def _chunk(self, audio: bytes) -> SayingAudio | None:
        if not audio:
            return None
        start_us = duration_us(self._format, self._bytes)
        self._bytes += len(audio)
        end_us = duration_us(self._format, self._bytes)
        return SayingAudio(
            utterance=self._number, audio=audio, start_us=start_us, duration_us=end_us - start_us
        )
