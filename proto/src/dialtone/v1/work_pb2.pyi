from dialtone.v1 import ears_pb2 as _ears_pb2
from dialtone.v1 import moshi_pb2 as _moshi_pb2
from dialtone.v1 import speech_pb2 as _speech_pb2
from dialtone.v1 import turn_pb2 as _turn_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Work(_message.Message):
    __slots__ = ("lease_id", "attempt_base", "call_id", "session_id", "traceparent", "ears", "turn", "sentence", "recording", "moshi")
    LEASE_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_BASE_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    EARS_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    MOSHI_FIELD_NUMBER: _ClassVar[int]
    lease_id: str
    attempt_base: int
    call_id: str
    session_id: str
    traceparent: str
    ears: _ears_pb2.EarsLeg
    turn: _turn_pb2.LlmTurn
    sentence: _speech_pb2.Sentence
    recording: _ears_pb2.Recording
    moshi: _moshi_pb2.MoshiLeg
    def __init__(self, lease_id: _Optional[str] = ..., attempt_base: _Optional[int] = ..., call_id: _Optional[str] = ..., session_id: _Optional[str] = ..., traceparent: _Optional[str] = ..., ears: _Optional[_Union[_ears_pb2.EarsLeg, _Mapping]] = ..., turn: _Optional[_Union[_turn_pb2.LlmTurn, _Mapping]] = ..., sentence: _Optional[_Union[_speech_pb2.Sentence, _Mapping]] = ..., recording: _Optional[_Union[_ears_pb2.Recording, _Mapping]] = ..., moshi: _Optional[_Union[_moshi_pb2.MoshiLeg, _Mapping]] = ...) -> None: ...
