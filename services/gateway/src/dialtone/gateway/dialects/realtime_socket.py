"""What both Realtime dialects do alike: the audio, whose bulk needs a path of its own, and event ids."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from itertools import count
from typing import ClassVar

import msgspec
import pybase64

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.client_events import AppendAudio, ClearAudio, ClientEvent, CommitAudio
from dialtone.gateway.core.session import PCM_24K, AudioFormat, SessionConfig

from . import Frame
from .json_frames import MALFORMED
from .pcm_alignment import SampleAligner
from .realtime_decode import audio_too_long, bad_audio

# Audio of one append, before base64: the protocol's limit.
MAX_APPEND = 15 * 1_048_576
# Audio in one delta, before base64. A frame must stay under the 1 MiB that clients take.
MAX_DELTA = 196_608


class _Append(msgspec.Struct, tag_field="type", tag="input_audio_buffer.append"):
    audio: str
    event_id: str | None = None


class RealtimeSocket(ABC):
    """One client's socket in either dialect."""

    audio_delta: ClassVar[str]  # the type of the event that brings audio

    def __init__(self) -> None:
        # Random, so that events of different connections can be told apart in a log.
        self.event_prefix = f"event_{secrets.token_hex(6)}"
        self._event_number = count(1)
        self._append = msgspec.json.Decoder(_Append).decode
        self._samples = SampleAligner()
        self._pcm = True

    @abstractmethod
    def _decode(self, frame: Frame) -> ClientEvent:
        """Read any frame that is not plain audio."""

    @abstractmethod
    def _encode(self, event: out.ServerEvent, event_id: str) -> str | None:
        """Write any event but audio; None if the dialect has no form for it."""

    def configure(self, config: SessionConfig) -> SessionConfig:
        """The configuration of a call on a stored session: PCM has the protocol's only rate.

        Clients take that rate for granted, whatever the session was made for.
        """
        replace = msgspec.structs.replace
        incoming, outgoing = config.audio.input, config.audio.output
        return replace(
            config,
            audio=replace(
                config.audio,
                input=replace(incoming, format=_protocol_format(incoming.format)),
                output=replace(outgoing, format=_protocol_format(outgoing.format)),
            ),
        )

    def decode(self, frame: Frame) -> ClientEvent | None:
        try:
            append = self._append(frame)
        except MALFORMED:
            event = self._decode(frame)
            if isinstance(event, CommitAudio | ClearAudio):
                self._samples.reset()
            return event
        try:
            audio = pybase64.b64decode(append.audio, validate=True)
        except ValueError:
            return bad_audio(append.event_id)
        if len(audio) > MAX_APPEND:
            return audio_too_long(append.event_id, MAX_APPEND)
        if self._pcm:
            audio = self._samples.align(audio)
        return AppendAudio(audio=audio, event_id=append.event_id) if audio else None

    def encode(self, event: out.ServerEvent) -> list[Frame]:
        if isinstance(event, out.OutputAudioDelta):
            return self._audio_deltas(event)
        if isinstance(event, out.SessionCreated | out.SessionUpdated):
            self._take_format(event.config.audio.input.format.type == "audio/pcm")
        frame = self._encode(event, self._event_id())
        return [] if frame is None else [frame]

    def _event_id(self) -> str:
        return f"{self.event_prefix}{next(self._event_number):06}"

    def _take_format(self, pcm: bool) -> None:
        if pcm != self._pcm:
            self._pcm = pcm
            self._samples.reset()

    def _audio_deltas(self, event: out.OutputAudioDelta) -> list[Frame]:
        # Ids are the server's own and need no escaping.
        return [
            f'{{"type":"{self.audio_delta}","event_id":"{self._event_id()}",'
            f'"response_id":"{event.response_id}","item_id":"{event.item_id}",'
            f'"output_index":{event.output_index},"content_index":{event.content_index},'
            f'"delta":"{pybase64.b64encode_as_string(event.delta[start : start + MAX_DELTA])}"}}'
            for start in range(0, len(event.delta), MAX_DELTA)
        ]


def _protocol_format(form: AudioFormat) -> AudioFormat:
    return PCM_24K if form.type == "audio/pcm" else form
