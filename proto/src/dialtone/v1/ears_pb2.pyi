from dialtone.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EarsLeg(_message.Message):
    __slots__ = ("format", "config")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    format: _common_pb2.AudioFormat
    config: EarsConfig
    def __init__(self, format: _Optional[_Union[_common_pb2.AudioFormat, _Mapping]] = ..., config: _Optional[_Union[EarsConfig, _Mapping]] = ...) -> None: ...

class EarsConfig(_message.Message):
    __slots__ = ("turn_detection", "transcription")
    TURN_DETECTION_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    turn_detection: TurnDetection
    transcription: Transcription
    def __init__(self, turn_detection: _Optional[_Union[TurnDetection, _Mapping]] = ..., transcription: _Optional[_Union[Transcription, _Mapping]] = ...) -> None: ...

class TurnDetection(_message.Message):
    __slots__ = ("mode", "engine", "aggressiveness", "threshold", "prefix_padding_ms", "silence_duration_ms", "eagerness", "candidate_pause_ms", "sustained_speech_ms")
    class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MODE_UNSPECIFIED: _ClassVar[TurnDetection.Mode]
        MODE_MANUAL: _ClassVar[TurnDetection.Mode]
        MODE_SERVER_VAD: _ClassVar[TurnDetection.Mode]
        MODE_SEMANTIC_VAD: _ClassVar[TurnDetection.Mode]
    MODE_UNSPECIFIED: TurnDetection.Mode
    MODE_MANUAL: TurnDetection.Mode
    MODE_SERVER_VAD: TurnDetection.Mode
    MODE_SEMANTIC_VAD: TurnDetection.Mode
    class Engine(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ENGINE_UNSPECIFIED: _ClassVar[TurnDetection.Engine]
        ENGINE_WEBRTC: _ClassVar[TurnDetection.Engine]
        ENGINE_SILERO: _ClassVar[TurnDetection.Engine]
    ENGINE_UNSPECIFIED: TurnDetection.Engine
    ENGINE_WEBRTC: TurnDetection.Engine
    ENGINE_SILERO: TurnDetection.Engine
    class Eagerness(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        EAGERNESS_UNSPECIFIED: _ClassVar[TurnDetection.Eagerness]
        EAGERNESS_LOW: _ClassVar[TurnDetection.Eagerness]
        EAGERNESS_MEDIUM: _ClassVar[TurnDetection.Eagerness]
        EAGERNESS_HIGH: _ClassVar[TurnDetection.Eagerness]
    EAGERNESS_UNSPECIFIED: TurnDetection.Eagerness
    EAGERNESS_LOW: TurnDetection.Eagerness
    EAGERNESS_MEDIUM: TurnDetection.Eagerness
    EAGERNESS_HIGH: TurnDetection.Eagerness
    MODE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    AGGRESSIVENESS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    PREFIX_PADDING_MS_FIELD_NUMBER: _ClassVar[int]
    SILENCE_DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    EAGERNESS_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_PAUSE_MS_FIELD_NUMBER: _ClassVar[int]
    SUSTAINED_SPEECH_MS_FIELD_NUMBER: _ClassVar[int]
    mode: TurnDetection.Mode
    engine: TurnDetection.Engine
    aggressiveness: int
    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int
    eagerness: TurnDetection.Eagerness
    candidate_pause_ms: int
    sustained_speech_ms: int
    def __init__(self, mode: _Optional[_Union[TurnDetection.Mode, str]] = ..., engine: _Optional[_Union[TurnDetection.Engine, str]] = ..., aggressiveness: _Optional[int] = ..., threshold: _Optional[float] = ..., prefix_padding_ms: _Optional[int] = ..., silence_duration_ms: _Optional[int] = ..., eagerness: _Optional[_Union[TurnDetection.Eagerness, str]] = ..., candidate_pause_ms: _Optional[int] = ..., sustained_speech_ms: _Optional[int] = ...) -> None: ...

class Transcription(_message.Message):
    __slots__ = ("model", "language", "prompt", "partials")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    PARTIALS_FIELD_NUMBER: _ClassVar[int]
    model: str
    language: str
    prompt: str
    partials: bool
    def __init__(self, model: _Optional[str] = ..., language: _Optional[str] = ..., prompt: _Optional[str] = ..., partials: _Optional[bool] = ...) -> None: ...

class Recording(_message.Message):
    __slots__ = ("audio", "format", "transcription")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    audio: bytes
    format: _common_pb2.AudioFormat
    transcription: Transcription
    def __init__(self, audio: _Optional[bytes] = ..., format: _Optional[_Union[_common_pb2.AudioFormat, _Mapping]] = ..., transcription: _Optional[_Union[Transcription, _Mapping]] = ...) -> None: ...

class EarsResume(_message.Message):
    __slots__ = ("start_us", "next_seq", "next_utterance", "in_speech", "speech_start_us", "config")
    START_US_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    NEXT_UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    IN_SPEECH_FIELD_NUMBER: _ClassVar[int]
    SPEECH_START_US_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    start_us: int
    next_seq: int
    next_utterance: int
    in_speech: bool
    speech_start_us: int
    config: EarsConfig
    def __init__(self, start_us: _Optional[int] = ..., next_seq: _Optional[int] = ..., next_utterance: _Optional[int] = ..., in_speech: _Optional[bool] = ..., speech_start_us: _Optional[int] = ..., config: _Optional[_Union[EarsConfig, _Mapping]] = ...) -> None: ...

class EarsInput(_message.Message):
    __slots__ = ("lease_id", "attempt", "seq", "start_us", "audio", "commit", "clear", "config", "end", "format", "output_format")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    START_US_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    CLEAR_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    attempt: int
    seq: int
    start_us: int
    audio: bytes
    commit: CommitInput
    clear: ClearInput
    config: EarsConfig
    end: EndOfInput
    format: _common_pb2.AudioFormat
    output_format: _common_pb2.AudioFormat
    def __init__(self, lease_id: _Optional[str] = ..., attempt: _Optional[int] = ..., seq: _Optional[int] = ..., start_us: _Optional[int] = ..., audio: _Optional[bytes] = ..., commit: _Optional[_Union[CommitInput, _Mapping]] = ..., clear: _Optional[_Union[ClearInput, _Mapping]] = ..., config: _Optional[_Union[EarsConfig, _Mapping]] = ..., end: _Optional[_Union[EndOfInput, _Mapping]] = ..., format: _Optional[_Union[_common_pb2.AudioFormat, _Mapping]] = ..., output_format: _Optional[_Union[_common_pb2.AudioFormat, _Mapping]] = ...) -> None: ...

class CommitInput(_message.Message):
    __slots__ = ("utterance",)
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    utterance: int
    def __init__(self, utterance: _Optional[int] = ...) -> None: ...

class ClearInput(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EndOfInput(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SpeechStarted(_message.Message):
    __slots__ = ("utterance", "audio_start_us")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_START_US_FIELD_NUMBER: _ClassVar[int]
    utterance: int
    audio_start_us: int
    def __init__(self, utterance: _Optional[int] = ..., audio_start_us: _Optional[int] = ...) -> None: ...

class SpeechSustained(_message.Message):
    __slots__ = ("utterance",)
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    utterance: int
    def __init__(self, utterance: _Optional[int] = ...) -> None: ...

class SpeechStopped(_message.Message):
    __slots__ = ("utterance", "audio_end_us", "speech_end_us")
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_END_US_FIELD_NUMBER: _ClassVar[int]
    SPEECH_END_US_FIELD_NUMBER: _ClassVar[int]
    utterance: int
    audio_end_us: int
    speech_end_us: int
    def __init__(self, utterance: _Optional[int] = ..., audio_end_us: _Optional[int] = ..., speech_end_us: _Optional[int] = ...) -> None: ...

class Transcript(_message.Message):
    __slots__ = ("utterance", "kind", "text", "language", "audio_start_us", "audio_end_us", "compute_us", "wait_us", "error", "backend")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[Transcript.Kind]
        KIND_PARTIAL: _ClassVar[Transcript.Kind]
        KIND_CANDIDATE: _ClassVar[Transcript.Kind]
        KIND_FINAL: _ClassVar[Transcript.Kind]
    KIND_UNSPECIFIED: Transcript.Kind
    KIND_PARTIAL: Transcript.Kind
    KIND_CANDIDATE: Transcript.Kind
    KIND_FINAL: Transcript.Kind
    UTTERANCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_START_US_FIELD_NUMBER: _ClassVar[int]
    AUDIO_END_US_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_US_FIELD_NUMBER: _ClassVar[int]
    WAIT_US_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    utterance: int
    kind: Transcript.Kind
    text: str
    language: str
    audio_start_us: int
    audio_end_us: int
    compute_us: int
    wait_us: int
    error: _common_pb2.Error
    backend: str
    def __init__(self, utterance: _Optional[int] = ..., kind: _Optional[_Union[Transcript.Kind, str]] = ..., text: _Optional[str] = ..., language: _Optional[str] = ..., audio_start_us: _Optional[int] = ..., audio_end_us: _Optional[int] = ..., compute_us: _Optional[int] = ..., wait_us: _Optional[int] = ..., error: _Optional[_Union[_common_pb2.Error, _Mapping]] = ..., backend: _Optional[str] = ...) -> None: ...

class AudioProgress(_message.Message):
    __slots__ = ("audio_us", "next_seq")
    AUDIO_US_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQ_FIELD_NUMBER: _ClassVar[int]
    audio_us: int
    next_seq: int
    def __init__(self, audio_us: _Optional[int] = ..., next_seq: _Optional[int] = ...) -> None: ...
