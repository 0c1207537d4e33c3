from dialtone.v1 import common_pb2 as _common_pb2
from dialtone.v1 import ears_pb2 as _ears_pb2
from dialtone.v1 import lease_pb2 as _lease_pb2
from dialtone.v1 import moshi_pb2 as _moshi_pb2
from dialtone.v1 import speech_pb2 as _speech_pb2
from dialtone.v1 import turn_pb2 as _turn_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkerEvent(_message.Message):
    __slots__ = ("lease_id", "attempt", "seq", "claim", "failed", "released", "replay", "speech_started", "speech_stopped", "transcript", "progress", "leg_done", "speech_sustained", "text", "tool_call", "turn_done", "audio", "sentence_done", "saying_started", "saying_audio", "saying_text", "saying_stopped")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    CLAIM_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    SPEECH_STARTED_FIELD_NUMBER: _ClassVar[int]
    SPEECH_STOPPED_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    LEG_DONE_FIELD_NUMBER: _ClassVar[int]
    SPEECH_SUSTAINED_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_FIELD_NUMBER: _ClassVar[int]
    TURN_DONE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_DONE_FIELD_NUMBER: _ClassVar[int]
    SAYING_STARTED_FIELD_NUMBER: _ClassVar[int]
    SAYING_AUDIO_FIELD_NUMBER: _ClassVar[int]
    SAYING_TEXT_FIELD_NUMBER: _ClassVar[int]
    SAYING_STOPPED_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    attempt: int
    seq: int
    claim: _lease_pb2.Claim
    failed: WorkFailed
    released: Released
    replay: ReplayRequest
    speech_started: _ears_pb2.SpeechStarted
    speech_stopped: _ears_pb2.SpeechStopped
    transcript: _ears_pb2.Transcript
    progress: _ears_pb2.AudioProgress
    leg_done: LegDone
    speech_sustained: _ears_pb2.SpeechSustained
    text: _turn_pb2.TextDelta
    tool_call: _turn_pb2.ToolCallDelta
    turn_done: _turn_pb2.TurnDone
    audio: _speech_pb2.AudioChunk
    sentence_done: _speech_pb2.SentenceDone
    saying_started: _moshi_pb2.SayingStarted
    saying_audio: _moshi_pb2.SayingAudio
    saying_text: _moshi_pb2.SayingText
    saying_stopped: _moshi_pb2.SayingStopped
    def __init__(self, lease_id: _Optional[str] = ..., attempt: _Optional[int] = ..., seq: _Optional[int] = ..., claim: _Optional[_Union[_lease_pb2.Claim, _Mapping]] = ..., failed: _Optional[_Union[WorkFailed, _Mapping]] = ..., released: _Optional[_Union[Released, _Mapping]] = ..., replay: _Optional[_Union[ReplayRequest, _Mapping]] = ..., speech_started: _Optional[_Union[_ears_pb2.SpeechStarted, _Mapping]] = ..., speech_stopped: _Optional[_Union[_ears_pb2.SpeechStopped, _Mapping]] = ..., transcript: _Optional[_Union[_ears_pb2.Transcript, _Mapping]] = ..., progress: _Optional[_Union[_ears_pb2.AudioProgress, _Mapping]] = ..., leg_done: _Optional[_Union[LegDone, _Mapping]] = ..., speech_sustained: _Optional[_Union[_ears_pb2.SpeechSustained, _Mapping]] = ..., text: _Optional[_Union[_turn_pb2.TextDelta, _Mapping]] = ..., tool_call: _Optional[_Union[_turn_pb2.ToolCallDelta, _Mapping]] = ..., turn_done: _Optional[_Union[_turn_pb2.TurnDone, _Mapping]] = ..., audio: _Optional[_Union[_speech_pb2.AudioChunk, _Mapping]] = ..., sentence_done: _Optional[_Union[_speech_pb2.SentenceDone, _Mapping]] = ..., saying_started: _Optional[_Union[_moshi_pb2.SayingStarted, _Mapping]] = ..., saying_audio: _Optional[_Union[_moshi_pb2.SayingAudio, _Mapping]] = ..., saying_text: _Optional[_Union[_moshi_pb2.SayingText, _Mapping]] = ..., saying_stopped: _Optional[_Union[_moshi_pb2.SayingStopped, _Mapping]] = ...) -> None: ...

class WorkFailed(_message.Message):
    __slots__ = ("error", "final")
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    error: _common_pb2.Error
    final: bool
    def __init__(self, error: _Optional[_Union[_common_pb2.Error, _Mapping]] = ..., final: _Optional[bool] = ...) -> None: ...

class Released(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class ReplayRequest(_message.Message):
    __slots__ = ("from_seq",)
    FROM_SEQ_FIELD_NUMBER: _ClassVar[int]
    from_seq: int
    def __init__(self, from_seq: _Optional[int] = ...) -> None: ...

class LegDone(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
