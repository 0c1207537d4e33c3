"""`/livez`, `/readyz`, `/metrics`: for those who run the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from pydantic import BaseModel

from dialtone.telemetry import get_logger

_CHECK_TIMEOUT_S = 1.0
log = get_logger(__name__)


class Readiness(BaseModel):
    ready: bool
    checks: dict[str, bool]


def create_health_router(readiness: Mapping[str, Callable[[], Awaitable[bool]]]) -> APIRouter:
    """The routes of health. `readiness` names what must work for new calls to be taken; a check that
    takes longer than a second counts as not ready."""
    router = APIRouter(tags=["health"])

    @router.get("/livez")
    async def livez() -> dict[str, bool]:
        """The process runs and its event loop turns."""
        return {"live": True}

    @router.get("/readyz", responses={503: {"model": Readiness}})
    async def readyz(response: Response) -> Readiness:
        """Whether new calls can be taken, and what is missing if not."""
        results = await asyncio.gather(*(_passes(name, check) for name, check in readiness.items()))
        ready = all(results)
        if not ready:
            response.status_code = 503
            response.headers["Retry-After"] = "1"
        return Readiness(ready=ready, checks=dict(zip(readiness, results, strict=True)))

    return router


def create_metrics_router(registry: CollectorRegistry = REGISTRY) -> APIRouter:
    """What a scraper reads; not for those who only may call."""
    router = APIRouter(tags=["health"])

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Metrics of this process in Prometheus's form."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


async def _passes(name: str, check: Callable[[], Awaitable[bool]]) -> bool:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            return await check()
    except Exception as error:  # noqa: BLE001 - whatever a check trips over, the answer is "not ready"
        log.warning("readiness check failed", check=name, error=type(error).__name__)
        return False
