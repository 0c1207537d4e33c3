from dialtone.v1 import common_pb2 as _common_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MoshiLeg(_message.Message):
    __slots__ = ("model", "format", "output_format")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    model: str
    format: _common_pb2.AudioFormat
    output_format: _common_pb2.AudioFormat
    def __init__(self, model: _Optional[str] = ..., format: _Optional[_Union[_common_pb2.AudioFormat, _Mapping]] = ..., output_format: _Optional[_Union[_common_pb2.AudioFormat, _Mapping]] = ...) -> None: ...

class MoshiResume(_message.Message):
    __slots__ = ("start_us", "next_seq", "live_us", "next_utterance", "output_format")
    START_US_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    LIVE_US_FIELD_NUMBER: _ClassVar[int]
    NEXT_UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    start_us: int
    next_seq: int
    live_us: int
    next_utterance: int
    output_format: _common_pb2.AudioFormat
    def __init__(self, start_us: _Optional[int] = ..., next_seq: _Optional[int] = ..., live_us: _Optional[int] = ..., next_utterance: _Optional[int] = ..., output_format: _Optional[_Union[_common_pb2.AudioFormat, _Mapping]] = ...) -> None: ...

class SayingStarted(_message.Message):
    __slots__ = ("utterance", "audio_us", "format")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_US_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    utterance: int
    audio_us: int
    format: _common_pb2.AudioFormat
    def __init__(self, utterance: _Optional[int] = ..., audio_us: _Optional[int] = ..., format: _Optional[_Union[_common_pb2.AudioFormat, _Mapping]] = ...) -> None: ...

class SayingAudio(_message.Message):
    __slots__ = ("utterance", "audio", "start_us", "duration_us")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    START_US_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    utterance: int
    audio: bytes
    start_us: int
    duration_us: int
    def __init__(self, utterance: _Optional[int] = ..., audio: _Optional[bytes] = ..., start_us: _Optional[int] = ..., duration_us: _Optional[int] = ...) -> None: ...

class SayingText(_message.Message):
    __slots__ = ("utterance", "text")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    utterance: int
    text: str
    def __init__(self, utterance: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class SayingStopped(_message.Message):
    __slots__ = ("utterance", "duration_us", "audio_us", "text_tokens")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    AUDIO_US_FIELD_NUMBER: _ClassVar[int]
    TEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    utterance: int
    duration_us: int
    audio_us: int
    text_tokens: int
    def __init__(self, utterance: _Optional[int] = ..., duration_us: _Optional[int] = ..., audio_us: _Optional[int] = ..., text_tokens: _Optional[int] = ...) -> None: ...
