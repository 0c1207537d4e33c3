from dialtone.v1 import common_pb2 as _common_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Sentence(_message.Message):
    __slots__ = ("response_id", "index", "text", "voice", "format")
    RESPONSE_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    response_id: str
    index: int
    text: str
    voice: Voice
    format: _common_pb2.AudioFormat
    def __init__(self, response_id: _Optional[str] = ..., index: _Optional[int] = ..., text: _Optional[str] = ..., voice: _Optional[_Union[Voice, _Mapping]] = ..., format: _Optional[_Union[_common_pb2.AudioFormat, _Mapping]] = ...) -> None: ...

class Voice(_message.Message):
    __slots__ = ("name", "language", "speaker_id", "noise_scale", "noise_scale_w", "length_scale", "speed")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    SPEAKER_ID_FIELD_NUMBER: _ClassVar[int]
    NOISE_SCALE_FIELD_NUMBER: _ClassVar[int]
    NOISE_SCALE_W_FIELD_NUMBER: _ClassVar[int]
    LENGTH_SCALE_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    name: str
    language: str
    speaker_id: str
    noise_scale: float
    noise_scale_w: float
    length_scale: float
    speed: float
    def __init__(self, name: _Optional[str] = ..., language: _Optional[str] = ..., speaker_id: _Optional[str] = ..., noise_scale: _Optional[float] = ..., noise_scale_w: _Optional[float] = ..., length_scale: _Optional[float] = ..., speed: _Optional[float] = ...) -> None: ...

class SentenceResume(_message.Message):
    __slots__ = ("delivered_us",)
    DELIVERED_US_FIELD_NUMBER: _ClassVar[int]
    delivered_us: int
    def __init__(self, delivered_us: _Optional[int] = ...) -> None: ...

class AudioChunk(_message.Message):
    __slots__ = ("audio", "start_us", "duration_us")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    START_US_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    audio: bytes
    start_us: int
    duration_us: int
    def __init__(self, audio: _Optional[bytes] = ..., start_us: _Optional[int] = ..., duration_us: _Optional[int] = ...) -> None: ...

class SentenceDone(_message.Message):
    __slots__ = ("duration_us", "first_chunk_us", "compute_us", "voice", "notice", "backend")
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    FIRST_CHUNK_US_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_US_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    duration_us: int
    first_chunk_us: int
    compute_us: int
    voice: str
    notice: str
    backend: str
    def __init__(self, duration_us: _Optional[int] = ..., first_chunk_us: _Optional[int] = ..., compute_us: _Optional[int] = ..., voice: _Optional[str] = ..., notice: _Optional[str] = ..., backend: _Optional[str] = ...) -> None: ...
