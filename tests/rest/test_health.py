"""Health and metrics, as an orchestrator and a scraper meet them."""

from __future__ import annotations

import asyncio
import time

from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Counter

from dialtone.gateway.rest.health import create_health_router, create_metrics_router
from tests.rest.conftest import client_of


async def good() -> bool:
    return True


async def bad() -> bool:
    return False


async def broken() -> bool:
    raise RuntimeError("a check with a fault")


async def hanging() -> bool:
    await asyncio.Event().wait()
    return True


async def test_ready_is_when_every_check_passes() -> None:
    app = FastAPI()
    app.include_router(create_health_router({"bus": good, "redis": good}))
    async with client_of(app) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "checks": {"bus": True, "redis": True}}


async def test_not_ready_says_what_is_missing_in_bounded_time_while_live_stays_true() -> None:
    app = FastAPI()
    app.include_router(
        create_health_router({"bus": good, "redis": bad, "sql": broken, "stage": hanging, "other": hanging})
    )
    async with client_of(app) as client:
        began = time.monotonic()
        answer = await client.get("/readyz")
        assert time.monotonic() - began < 1.8
        assert (await client.get("/livez")).status_code == 200
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    missing = {"redis": False, "sql": False, "stage": False, "other": False}
    assert answer.json() == {"ready": False, "checks": {"bus": True, **missing}}


async def test_metrics_are_in_the_form_that_prometheus_reads() -> None:
    registry = CollectorRegistry()
    Counter("dialtone_test", "For this test", registry=registry).inc()
    app = FastAPI()
    app.include_router(create_metrics_router(registry))
    async with client_of(app) as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "dialtone_test_total 1.0" in answer.text
