"""The file of keys: who is taken out of it is out, without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from dialtone.gateway.settings import read_key_file
from dialtone.telemetry import get_logger

from .auth import ApiKeys

READ_S = 1.0  # between two looks at the file
log = get_logger(__name__)


class KeyFile:
    """Brings what is in the file to the keys that count."""

    def __init__(self, path: Path, keys: ApiKeys, *, changed: Callable[[], None]) -> None:
        """`changed` is called when other keys count than before."""
        self._path = path
        self._keys = keys
        self._changed = changed
        self._count: frozenset[str] = frozenset()  # the entries that do
        self._wrong = ""  # what was last said of the file

    async def read(self) -> None:
        """Take over what the file says now; where it cannot be read or is wrong, nothing changes.

        Half a file must not throw everybody out. It says so once.
        """
        try:
            entries = await asyncio.to_thread(read_key_file, self._path)
        except (OSError, ValueError) as error:
            if str(error) != self._wrong:
                log.error("the file of keys is not taken, those of before count", error=str(error))
            self._wrong = str(error)
            return
        self._wrong = ""
        count = frozenset(entry.get_secret_value() for entry in entries)
        if count != self._count:
            self._count = count
            self._keys.replace_further(entries)
            log.info("keys were read", keys=len(count))
            self._changed()

    async def watch(self) -> None:
        """Read again and again, until cancelled."""
        while True:
            await asyncio.sleep(READ_S)
            await self.read()
