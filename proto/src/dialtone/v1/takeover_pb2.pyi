from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Leave(_message.Message):
    __slots__ = ("call_id", "session_deleted")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_DELETED_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    session_deleted: bool
    def __init__(self, call_id: _Optional[str] = ..., session_deleted: _Optional[bool] = ...) -> None: ...
