from dialtone.v1 import ears_pb2 as _ears_pb2
from dialtone.v1 import moshi_pb2 as _moshi_pb2
from dialtone.v1 import speech_pb2 as _speech_pb2
from dialtone.v1 import turn_pb2 as _turn_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Claim(_message.Message):
    __slots__ = ("worker_id", "instance")
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    worker_id: str
    instance: str
    def __init__(self, worker_id: _Optional[str] = ..., instance: _Optional[str] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("granted", "reason", "ears", "turn", "sentence", "moshi")
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EARS_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    SENTENCE_FIELD_NUMBER: _ClassVar[int]
    MOSHI_FIELD_NUMBER: _ClassVar[int]
    granted: bool
    reason: str
    ears: _ears_pb2.EarsResume
    turn: _turn_pb2.TurnResume
    sentence: _speech_pb2.SentenceResume
    moshi: _moshi_pb2.MoshiResume
    def __init__(self, granted: _Optional[bool] = ..., reason: _Optional[str] = ..., ears: _Optional[_Union[_ears_pb2.EarsResume, _Mapping]] = ..., turn: _Optional[_Union[_turn_pb2.TurnResume, _Mapping]] = ..., sentence: _Optional[_Union[_speech_pb2.SentenceResume, _Mapping]] = ..., moshi: _Optional[_Union[_moshi_pb2.MoshiResume, _Mapping]] = ...) -> None: ...
