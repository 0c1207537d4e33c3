"""Recordings of calls on disk, written beside the event loop and bounded."""

from __future__ import annotations

import asyncio
import os
import time
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from dialtone.gateway import core
from dialtone.gateway.core.recording import Cut, as_line
from dialtone.telemetry import get_logger

log = get_logger(__name__)

# What may wait for the disk: seconds of a busy call. A disk that is slower than that loses the rest.
WAITING_BYTES = 8 * 2**20
# Between two writes, so that not every frame of audio is one.
PAUSE_S = 0.25


def code_fingerprint() -> str:
    """Of the rules that calls go by here: a recording made by others may well run differently."""
    digest = blake2b(digest_size=8)
    for source in sorted(Path(core.__path__[0]).glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


class CallFile:
    """One call's recording. `write` takes a line and never waits; `close` waits for the disk."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """Raises OSError when the file cannot be made."""
        self.path = path
        self._room = max_bytes
        self._lines: list[bytes] = []
        self._waiting_bytes = 0
        self._closing = asyncio.Event()
        self._over = False
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "wb")
        self._writing = asyncio.create_task(self._keep_writing())

    def write(self, line: bytes) -> None:
        if self._over:
            return
        if len(line) > self._room:
            self._cut("the file has reached its bound")
        elif self._waiting_bytes + len(line) > WAITING_BYTES:
            self._cut("the disk is too slow")
        else:
            self._take(line)

    def _take(self, line: bytes) -> None:
        self._lines.append(line)
        self._waiting_bytes += len(line)
        self._room -= len(line)

    def _cut(self, reason: str) -> None:
        self._take(as_line(Cut(reason)))
        self._over = True
        log.warning("a recording ends before its call", file=str(self.path), reason=reason)

    async def _keep_writing(self) -> None:
        closing = False
        try:
            while not closing:
                try:
                    async with asyncio.timeout(PAUSE_S):
                        closing = await self._closing.wait()
                except TimeoutError:
                    pass
                lines, self._lines = self._lines, []
                if lines:
                    await asyncio.to_thread(self._append, b"".join(lines))
                    self._waiting_bytes -= sum(map(len, lines))
        except OSError as error:
            log.error("a call is not recorded any further", file=str(self.path), error=str(error))
            self._over = True
        finally:
            await asyncio.to_thread(self._file.close)

    def _append(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()

    async def close(self) -> None:
        self._over = True
        self._closing.set()
        await asyncio.wait({self._writing})


class CallFiles:
    """The folder of this process's recordings, named by time and call."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Raises OSError when nothing can be written there."""
        self._folder = folder
        self._max_bytes = max_bytes
        self.code = code_fingerprint()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(f"recordings of calls cannot be written to {folder}")
        log.warning(
            "calls are recorded: the files hold the audio and the text of all who speak",
            folder=str(folder),
            max_bytes=max_bytes,
        )

    def begin(self, call_id: str) -> CallFile | None:
        """A new file; None when it cannot be made, which the call does not suffer from."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = self._folder / f"{stamp}-{call_id}.jsonl"
        try:
            return CallFile(path, self._max_bytes)
        except OSError as error:
            log.error("a call is not recorded", file=str(path), error=str(error))
            return None
