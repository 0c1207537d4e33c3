"""What a worker and its model's process say to each other: pickles, each behind its length.

Both ends are of one program and one user, over sockets that nobody else can reach: pickles are safe here.
"""

import pickle
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_LENGTH = struct.Struct(">Q")
_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class Opening:
    """The first frame to the child, on its first socket: `load` makes its model."""

    name: str
    load: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of loading or of a step: a value, or the exception that was raised."""

    value: Any = None
    error: BaseException | None = None


def send(to: socket.socket, frame: object) -> None:
    """Send a frame. Raises OSError, and before anything is sent what pickle raises."""
    data = pickle.dumps(frame, protocol=5)
    to.sendall(_LENGTH.pack(len(data)))
    to.sendall(data)


def receive(of: socket.socket) -> bytes:
    """Return the pickle of the next frame. Raises EOFError at the end, OSError, and TimeoutError as set."""
    return _exactly(of, _LENGTH.unpack(_exactly(of, _LENGTH.size))[0])


def _exactly(of: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = of.recv(min(size - len(data), _READ))
        if not part:
            raise EOFError("the other end is gone")
        data += part
    return bytes(data)
