"""The voice_call dialect: JSON frames of audio in, binary audio and the text of each sentence out.

What comes in, one JSON object a frame:

    {"audio": base64 of 16 kHz mono PCM16, "meta_info": {"session_id", "encoding": "raw"}, "is_close": bool}

    any frame with `audio`       AppendAudio; slices may be cut anywhere, inside a sample too
    `is_close: true`             EndInput; other members of that frame are not read, as ever
    none of the three members    a heartbeat: nothing
    anything else                Invalid, and the call goes on

The first frame with a session id names the session; what comes before it is a heartbeat or wrong,
and so is another session's id after it. What goes out, of the core's events:

    OutputAudioDelta      a binary frame; with container "wav" collected until its sentence is over
    SentenceSpoken        with "wav" first the sentence's file; then {"type": "text", "code": 200, "msg"}
    ResponseDone          failed: an error frame; audio of a sentence that was broken off is dropped
    TranscriptionFailed   an error frame
    Error                 an error frame: {"type": "error", "code": 500, "msg"}; 404: unknown session
    all others            nothing
"""

from __future__ import annotations

from typing import Any

import msgspec
import pybase64

from dialtone.gateway.core import server_events as out
from dialtone.gateway.core.client_events import AppendAudio, ClientEvent, EndInput, Invalid
from dialtone.gateway.core.session import PCM_16K, PCM_24K, AudioFormat, Extensions, ServerVad, SessionConfig

from . import Frame
from .json_frames import MALFORMED, BadFrame, read_object
from .pcm_alignment import SampleAligner
from .wav import wav_file

WRONG_FRAME = "wrong frame"
# Of errors; 500 of all others.
CODES = {
    "key_withdrawn": 401,
    "session_not_found": 404,
    "session_deleted": 404,
    "session_taken_over": 409,
}
# Audio collected for one WAV file, about half a minute; more goes out as a further file.
MAX_WAV = 2_000_000
MAX_SESSION_ID = 256
# Characters or bytes of a frame: eight seconds of audio, which is meant to come in slices of less than one.
MAX_FRAME = 262_144

_encode = msgspec.json.Encoder().encode


class _Meta(msgspec.Struct):
    session_id: str | None = None
    encoding: str | None = None


class _Frame(msgspec.Struct):
    audio: str | None = None
    meta_info: _Meta | None = None
    is_close: bool | None = None


_NO_META = _Meta()


class _Wrong(Exception):
    """The frame is wrong; the text is for the client."""


class VoiceCallDialect:
    """One client's socket. `session_id` is None until a frame has named the session."""

    name = "voice_call"

    def __init__(self) -> None:
        self.session_id: str | None = None
        self._decode = msgspec.json.Decoder(_Frame).decode
        self._samples = SampleAligner()
        self._output: AudioFormat = PCM_24K
        self._container = Extensions().container
        self._collected = bytearray()

    def configure(self, config: SessionConfig) -> SessionConfig:
        """Take the form of the audio from the session; return the configuration that its call has.

        That differs from the session's where the protocol leaves no choice: 16 kHz PCM comes in, speech
        goes out, the end of a turn is found and answered by the server (but for Moshi's calls, which have no
        turns), and there is nobody to run tools.
        """
        self._output = config.audio.output.format
        self._container = config.dialtone.container
        replace = msgspec.structs.replace
        detection = config.audio.input.turn_detection
        if config.moshi is None:
            detection = replace(detection or ServerVad(), create_response=True)
        incoming = replace(config.audio.input, format=PCM_16K, turn_detection=detection)
        return replace(
            config,
            type="realtime",
            output_modalities=["audio"],
            audio=replace(config.audio, input=incoming),
            tools=[],
            tool_choice="auto",
        )

    # --- client to call ---

    def decode(self, frame: Frame) -> ClientEvent | None:
        try:
            if len(frame) > MAX_FRAME:
                raise _Wrong(f"the frame is larger than {MAX_FRAME} bytes")
            return self._event(self._read(frame))
        except _Wrong as wrong:
            return Invalid(code="invalid_frame", message=str(wrong))

    def _read(self, frame: Frame) -> _Frame:
        try:
            return self._decode(frame)
        except MALFORMED as error:
            raise _Wrong(_what_is_wrong(frame)) from error

    def _event(self, frame: _Frame) -> ClientEvent | None:
        meta = frame.meta_info or _NO_META
        if meta.encoding not in (None, "raw"):
            raise _Wrong(f"unknown encoding '{meta.encoding[:64]}', only 'raw' is known")
        session_id = self._session_named(meta.session_id)
        audio = b""
        if (frame.is_close or frame.audio is not None) and session_id is None:
            raise _Wrong("the session is not named yet: meta_info.session_id is missing")
        if frame.audio and not frame.is_close:
            try:
                audio = pybase64.b64decode(frame.audio, validate=True)
            except ValueError as error:
                raise _Wrong("audio is not valid base64") from error
        self.session_id = session_id
        if frame.is_close:
            return EndInput()
        audio = self._samples.align(audio)
        return AppendAudio(audio=audio) if audio else None

    def _session_named(self, session_id: str | None) -> str | None:
        """The call's session, once this frame is accepted."""
        if session_id is None or session_id == self.session_id:
            return self.session_id
        if self.session_id is not None:
            raise _Wrong("the call belongs to another session")
        if not 0 < len(session_id) <= MAX_SESSION_ID:
            raise _Wrong(f"meta_info.session_id does not have 1 to {MAX_SESSION_ID} characters")
        return session_id

    # --- call to client ---

    def encode(self, event: out.ServerEvent) -> list[Frame]:
        match event:
            case out.OutputAudioDelta(delta=audio):
                return self._audio(audio)
            case out.SentenceSpoken(text=text):
                msg = text.strip()
                return [*self._collected_file(), *([_text_frame(msg)] if msg else [])]
            case out.ResponseDone(response=response):
                self._collected.clear()
                if response.status == "failed":
                    error = response.status_details and response.status_details.error
                    return [error_frame(error.message if error else "the answer failed")]
            case out.TranscriptionFailed(error=error):
                return [error_frame(error.message)]
            case out.Error(error=detail):
                return [error_frame(detail.message, code=CODES.get(detail.code or "", 500))]
        return []

    def encode_invalid(self, event: Invalid) -> list[Frame]:
        """The answer to a wrong frame while there is no call yet."""
        return [error_frame(event.message)]

    def _audio(self, audio: bytes) -> list[Frame]:
        if self._container == "raw":
            return [audio] if audio else []
        self._collected += audio
        return self._collected_file() if len(self._collected) >= MAX_WAV else []

    def _collected_file(self) -> list[Frame]:
        if not self._collected:
            return []
        audio = bytes(self._collected)
        self._collected.clear()
        return [wav_file(audio, self._output)]


def error_frame(message: str, *, code: int = 500) -> str:
    return _encode({"type": "error", "code": code, "msg": message}).decode()


def _text_frame(sentence: str) -> str:
    return _encode({"type": "text", "code": 200, "msg": sentence}).decode()


def _what_is_wrong(frame: Frame) -> str:
    """What to tell of a frame that does not have the form of this protocol's."""
    try:
        message = read_object(frame)
    except BadFrame:
        return WRONG_FRAME
    meta = message.get("meta_info")
    if isinstance(meta, dict):
        for member in ("session_id", "encoding"):
            if not isinstance(meta.get(member), str | None):
                return f"meta_info.{member} is not a string"
    kinds: dict[str, tuple[Any, str]] = {
        "meta_info": (dict | None, "an object"),
        "audio": (str | None, "a string"),
        "is_close": (bool | None, "a boolean"),
    }
    for member, (kind, form) in kinds.items():
        if not isinstance(message.get(member), kind):
            return f"{member} is not {form}"
    return WRONG_FRAME
