"""Opening the stores of a gateway from its settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from dialtone.gateway.settings import GatewaySettings

from .archive import SqlArchive
from .call_registry import CallRegistry
from .client_secrets import ClientSecrets
from .migrate import migrate
from .redis_link import RedisLink
from .stored_sessions import StoredSessions


@dataclass(frozen=True, slots=True)
class Stores:
    """What a gateway keeps its state in."""

    sessions: StoredSessions
    calls: CallRegistry
    secrets: ClientSecrets
    link: RedisLink
    archive: SqlArchive

    @property
    def readiness(self) -> Mapping[str, Callable[[], Awaitable[bool]]]:
        return {"redis": self.link.ready, "sql": self.archive.ready}

    async def close(self, *, deadline_s: float = 5.0) -> None:
        """Release everything; writes that wait for SQL get `deadline_s` seconds."""
        await self.sessions.close(deadline_s=deadline_s)
        await self.link.close()
        await self.archive.close()


async def open_stores(settings: GatewaySettings) -> Stores:
    """Bring the tables up to date and connect. Redis may be down; SQL may not (`StoreUnavailable`)."""
    await migrate(settings.database_url)
    link = RedisLink(settings.redis_url, timeout_s=settings.redis_timeout_s)
    archive = SqlArchive(settings.database_url, timeout_s=settings.sql_timeout_s)
    sessions = StoredSessions(
        link=link,
        archive=archive,
        session_ttl_s=settings.session_ttl_s,
        outbox_entries=settings.outbox_entries,
        outbox_bytes=settings.outbox_bytes,
    )
    sessions.start()
    secrets = ClientSecrets(link, most=settings.max_client_secrets)
    calls = CallRegistry(link, beat_s=settings.call_claim_ttl_s)
    return Stores(sessions, calls, secrets, link, archive)
