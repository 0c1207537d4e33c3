"""The two databases that the stores run on, each with a way to take it away and give it back."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Protocol

from tests.fixtures.postgres import PostgresServer


class Database(Protocol):
    url: str

    def stop(self) -> None:
        """Let no write succeed."""

    def start(self) -> None: ...


class SqliteFile:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "sessions.db"
        self._lock: sqlite3.Connection | None = None
        self.url = f"sqlite+aiosqlite:///{self._path}"

    def stop(self) -> None:
        self._lock = sqlite3.connect(self._path, isolation_level=None)
        self._lock.execute("BEGIN IMMEDIATE")

    def start(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class PostgresDatabase:
    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.url = server.new_database()

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        if not self._server.running:
            self._server.start()
