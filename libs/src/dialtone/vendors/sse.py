"""Server-sent events out of a byte stream, one chunk at a time.

Written here because the decoders at hand work on decoded lines: `httpx.Response.aiter_lines`, and httpx-sse
on top of it, also split at U+2028 and friends, which JSON strings may hold, and keep a line of any length.
"""

import re

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class SseDecoder:
    """Feed it bytes as they come; it returns the data of each event that became complete.

    Lines end in LF, CR or CRLF, wherever the chunks are cut. Comments and fields other than `data` are
    ignored. An event holding a line or data longer than `max_bytes` is left out and counted in `overlong`.
    """

    def __init__(self, max_bytes: int = 1 << 20) -> None:
        self.overlong = 0
        self._max = max_bytes
        self._pending = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._at_start = True
        self._skip_lf = False
        self._discarding = False  # inside a line that is too long
        self._spoilt = False  # the event at hand lost a line

    def feed(self, chunk: bytes) -> list[bytes]:
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        scanned = len(self._pending)
        self._pending += chunk
        if self._at_start:
            if len(self._pending) < len(_BOM) and _BOM.startswith(self._pending):
                return []
            self._at_start = False
            if self._pending.startswith(_BOM):
                del self._pending[: len(_BOM)]
            scanned = 0

        events: list[bytes] = []
        line_start = 0
        while found := _LINE_END.search(self._pending, scanned):
            line = bytes(self._pending[line_start : found.start()])
            line_start = scanned = found.end()
            # A CR that ends the chunk may be half of a CRLF.
            self._skip_lf = found.group() == b"\r" and line_start == len(self._pending)
            if self._discarding:
                self._discarding = False
            elif (event := self._line(line)) is not None:
                events.append(event)
        del self._pending[:line_start]
        if len(self._pending) > self._max:
            self._pending.clear()
            if not self._discarding:
                self._discarding = True
                self._spoil()
        return events

    def flush(self) -> list[bytes]:
        """Return what the end of the stream completes: an event whose blank line is missing."""
        events = []
        if self._pending and not self._discarding and (event := self._line(bytes(self._pending))) is not None:
            events.append(event)
        self._pending.clear()
        if (event := self._line(b"")) is not None:
            events.append(event)
        return events

    def _line(self, line: bytes) -> bytes | None:
        if not line:
            data, spoilt = self._data, self._spoilt
            self._data, self._size, self._spoilt = [], 0, False
            return b"\n".join(data) if data and not spoilt else None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value)
            if self._size > self._max:
                self._data.clear()
                self._size = 0
                self._spoil()
        return None

    def _spoil(self) -> None:
        self.overlong += 1
        self._spoilt = True
