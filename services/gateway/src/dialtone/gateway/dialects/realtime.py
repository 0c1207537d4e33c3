"""The GA dialect of the OpenAI Realtime protocol."""

from __future__ import annotations

import secrets
from itertools import count

import msgspec
import pybase64

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.client_events import AppendAudio, ClearAudio, ClientEvent, CommitAudio
from dialtone.gateway.core.session import PCM_24K, AudioFormat, SessionConfig

from . import Frame
from .json_frames import MALFORMED
from .pcm_alignment import SampleAligner
from .realtime_decode import bad_audio, decode_event
from .realtime_encode import UNSAID, encode_event

# Audio in one delta, before base64. A frame must stay under the 1 MiB that clients take.
MAX_DELTA = 196_608


class _Append(msgspec.Struct, tag_field="type", tag="input_audio_buffer.append"):
    audio: str
    event_id: str | None = None


class RealtimeDialect:
    """One client's GA socket.

    Audio is the bulk of the traffic, so both directions of it have a path of their own; all else
    goes through `realtime_decode` and `realtime_encode`.
    """

    name = "realtime"

    def __init__(self) -> None:
        # Random, so that events of different connections can be told apart in a log.
        self._event_prefix = f"event_{secrets.token_hex(6)}"
        self._event_number = count(1)
        self._append = msgspec.json.Decoder(_Append).decode
        self._samples = SampleAligner()
        self._pcm = True

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
            event = decode_event(frame)
            if isinstance(event, CommitAudio | ClearAudio):
                self._samples.reset()
            return event
        try:
            audio = pybase64.b64decode(append.audio, validate=True)
        except ValueError:
            return bad_audio(append.event_id)
        if self._pcm:
            audio = self._samples.align(audio)
        return AppendAudio(audio=audio, event_id=append.event_id) if audio else None

    def encode(self, event: out.ServerEvent) -> list[Frame]:
        if isinstance(event, out.OutputAudioDelta):
            return self._audio_delta(event)
        if isinstance(event, UNSAID):
            return []
        if isinstance(event, out.SessionCreated | out.SessionUpdated):
            self._take_format(event.config.audio.input.format.type == "audio/pcm")
        return [encode_event(event, self._event_id())]

    def _event_id(self) -> str:
        return f"{self._event_prefix}{next(self._event_number):06}"

    def _take_format(self, pcm: bool) -> None:
        if pcm != self._pcm:
            self._pcm = pcm
            self._samples.reset()

    def _audio_delta(self, event: out.OutputAudioDelta) -> list[Frame]:
        # Ids are the server's own and need no escaping.
        return [
            f'{{"type":"response.output_audio.delta","event_id":"{self._event_id()}",'
            f'"response_id":"{event.response_id}","item_id":"{event.item_id}",'
            f'"output_index":{event.output_index},"content_index":{event.content_index},'
            f'"delta":"{pybase64.b64encode_as_string(event.delta[start : start + MAX_DELTA])}"}}'
            for start in range(0, len(event.delta), MAX_DELTA)
        ]


def _protocol_format(form: AudioFormat) -> AudioFormat:
    return PCM_24K if form.type == "audio/pcm" else form
