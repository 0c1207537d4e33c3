"""Puts a leg's inputs in order: duplicates dropped, frames from beyond a gap kept until it is filled."""

from dialtone.v1.ears_pb2 import EarsInput


class InputSequence:
    """A bounded reorder buffer. No I/O: frames go in by `receive` and come out by `pop`."""

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._waiting: dict[int, EarsInput] = {}
        self._next: int | None = None
        self._highest = -1

    def start(self, next_seq: int) -> None:
        """Set the first sequence number to come out. Frames may have been received before."""
        self._next = next_seq
        for seq in [seq for seq in self._waiting if seq < next_seq]:
            del self._waiting[seq]

    def receive(self, frame: EarsInput) -> None:
        """Take a frame in. A full buffer refuses it, which shows as a gap when its turn comes."""
        seq = frame.seq
        if self._next is not None and seq < self._next:
            return
        self._highest = max(self._highest, seq)
        if len(self._waiting) < self._capacity or seq == self._next:
            self._waiting.setdefault(seq, frame)

    def pop(self) -> EarsInput | None:
        """The next frame in order, None if it is not there."""
        if self._next is None:
            return None
        frame = self._waiting.pop(self._next, None)
        if frame is not None:
            self._next += 1
        return frame

    def peek(self) -> EarsInput | None:
        """What `pop` would return; it stays."""
        return None if self._next is None else self._waiting.get(self._next)

    @property
    def missing(self) -> int | None:
        """The sequence number that later frames wait for; None while nothing is known to be missing."""
        if self._next is None or self._highest < self._next or self._next in self._waiting:
            return None
        return self._next
