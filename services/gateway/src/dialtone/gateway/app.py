"""The gateway's application: everything it needs, opened and closed together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from dialtone.bus import Bus, BusUnavailable, ExhaustedWork, Stage
from dialtone.gateway.audit import Audit
from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.rest.client_secrets import create_client_secrets_router
from dialtone.gateway.rest.errors import install_error_handlers
from dialtone.gateway.rest.health import create_health_router, create_metrics_router
from dialtone.gateway.rest.key_file import KeyFile
from dialtone.gateway.rest.not_served import create_not_served_router
from dialtone.gateway.rest.page import create_page_router
from dialtone.gateway.rest.sessions import create_sessions_router
from dialtone.gateway.runtime.front_door import FrontDoor
from dialtone.gateway.runtime.moshi_variants import served_names
from dialtone.gateway.runtime.offerings import Offerings
from dialtone.gateway.runtime.offers_route import create_offers_router
from dialtone.gateway.runtime.place_route import create_place_router
from dialtone.gateway.runtime.realtime_sockets import RealtimeSockets
from dialtone.gateway.runtime.sockets import create_sockets_router
from dialtone.gateway.runtime.switchboard import Switchboard
from dialtone.gateway.runtime.tenant_places import TenantPlaces
from dialtone.gateway.runtime.voice_sockets import VoiceSockets
from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores import Stores, open_stores
from dialtone.gateway.stores.retention import forget_unused
from dialtone.telemetry import count_tasks, get_logger

_RETRY_S = 0.5
log = get_logger(__name__)


@asynccontextmanager
async def open_app(settings: GatewaySettings) -> AsyncIterator[tuple[FastAPI, Switchboard]]:
    """The application, ready to serve, and its calls; what it holds is released at the end of the block."""
    count_tasks()
    async with AsyncExitStack() as stack:
        stores = await open_stores(settings)
        stack.push_async_callback(stores.close)
        bus = await Bus.connect(settings, name="gateway")
        stack.push_async_callback(bus.close)
        await _make_queues(bus, settings.pool)
        exhausted = ExhaustedWork(bus)
        await exhausted.start()
        stack.push_async_callback(exhausted.stop)
        switchboard = Switchboard(settings, bus, stores.sessions, stores.calls)
        await switchboard.start()
        stack.push_async_callback(switchboard.stop)
        keeping = asyncio.create_task(switchboard.claims.run())
        stack.callback(keeping.cancel)
        looking = asyncio.create_task(switchboard.workers.run())
        stack.callback(looking.cancel)
        if settings.session_retention_days:
            days = settings.session_retention_days
            forgetting = asyncio.create_task(forget_unused(stores.sessions, days=days))
            stack.callback(forgetting.cancel)
        keys = ApiKeys(settings)
        if settings.api_keys_file is not None:
            key_file = KeyFile(settings.api_keys_file, keys, changed=switchboard.expel)
            await key_file.read()
            watching = asyncio.create_task(key_file.watch())
            stack.callback(watching.cancel)
        yield create_app(settings, keys, bus, stores, switchboard), switchboard


async def _make_queues(bus: Bus, pool: str) -> None:
    """Return when all stages have their queues, which a broker may not be able to make yet.

    Of a cluster, a server takes connections before there is a leader.
    """
    for stage in Stage:
        while True:
            try:
                await bus.ensure_stage(stage, pool)
                break
            except BusUnavailable as error:
                log.warning("cannot make the work queue yet", stage=stage, error=str(error))
                await asyncio.sleep(_RETRY_S)


def create_app(
    settings: GatewaySettings, keys: ApiKeys, bus: Bus, stores: Stores, switchboard: Switchboard
) -> FastAPI:
    # The framework's pages of documentation load their scripts from elsewhere; /openapi.json is all ours.
    app = FastAPI(
        title="Dialtone",
        description="Self-hosted voice calls",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
    )
    secrets, audit = stores.secrets, Audit()
    install_error_handlers(app)
    app.include_router(create_sessions_router(stores.sessions, switchboard.owners, keys, settings, audit))
    app.include_router(create_client_secrets_router(secrets, stores.sessions, keys, settings, audit))
    app.include_router(create_offers_router(Offerings(bus, settings.pool), keys, served_names(settings)))
    app.include_router(create_not_served_router())
    app.include_router(create_health_router(_readiness(bus, stores, switchboard)))
    if settings.metrics_are_public:
        app.include_router(create_metrics_router())
    if settings.serve_page:
        app.include_router(create_page_router())
    places = TenantPlaces(settings.max_calls_per_tenant)
    app.include_router(create_place_router(switchboard, places, keys))
    realtime = RealtimeSockets(switchboard, stores.sessions, keys, secrets, settings, places, audit)
    voice = VoiceSockets(switchboard, stores.sessions, keys, settings, places, audit)
    app.include_router(create_sockets_router(realtime, voice))
    app.add_middleware(
        FrontDoor,
        origins=settings.allowed_origins,
        per_minute=settings.address_requests_per_minute,
        without_keys=not settings.needs_keys,
        own_page=settings.serve_page,
    )
    return app


def create_metrics_app() -> FastAPI:
    """What is served at `metrics_port`."""
    app = FastAPI(title="Dialtone metrics", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(create_metrics_router())
    return app


def _readiness(
    bus: Bus, stores: Stores, switchboard: Switchboard
) -> Mapping[str, Callable[[], Awaitable[bool]]]:
    async def bus_ready() -> bool:
        return bus.connected

    async def queues_ready() -> bool:
        return bus.stores_work

    async def not_draining() -> bool:
        return not switchboard.draining

    return {"not_draining": not_draining, "bus": bus_ready, "queues": queues_ready, **stores.readiness}
