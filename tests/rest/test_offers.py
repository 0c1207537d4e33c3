"""`/v1/models` and `/v1/voices` say what the workers have, and nothing that they do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI

from dialtone.bus import Bus, BusError, Message, Stage, Subscription, offers_subject
from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.rest.errors import install_error_handlers
from dialtone.gateway.runtime import offerings
from dialtone.gateway.runtime.moshi_variants import served_names
from dialtone.gateway.runtime.offerings import Offerings
from dialtone.gateway.runtime.offers_route import create_offers_router
from dialtone.gateway.settings import GatewaySettings
from dialtone.local.state import StackState
from dialtone.settings import BusSettings
from dialtone.v1.offers_pb2 import Offer
from dialtone.worker import offers as telling_offers
from dialtone.worker.offers import tell_offers
from tests.fixtures.gateway import KEY, Gateway
from tests.fixtures.nats import NatsServer
from tests.fixtures.waiting import eventually

from .conftest import client_of

MODELS = [Offer(name="local", is_default=True), Offer(name="org/big")]


@pytest.fixture
async def bus(broker: NatsServer) -> AsyncIterator[Bus]:
    bus = await Bus.connect(BusSettings(nats_url=broker.url), name="test")
    yield bus
    await bus.close()


@pytest.fixture
async def asking(bus: Bus, settings: GatewaySettings) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(create_offers_router(Offerings(bus, "default"), ApiKeys(settings)))
    async with client_of(app) as client:
        yield client


@asynccontextmanager
async def worker(bus: Bus, stage: Stage, *offers: Offer, pool: str = "default") -> AsyncIterator[None]:
    """A worker that is heard inside the block."""
    telling = asyncio.create_task(tell_offers(bus, stage, pool, offers))

    async def is_heard() -> bool:
        with suppress(Exception):
            await bus.request(offers_subject(stage, pool), b"", timeout=1)
            return True
        return False

    await eventually(is_heard)
    yield
    telling.cancel()
    await asyncio.wait({telling})


async def test_models_are_those_of_the_workers_the_default_first(bus: Bus, asking: httpx.AsyncClient) -> None:
    async with worker(bus, Stage.LLM, *MODELS):
        answer = (await asking.get("/v1/models")).json()
        one = await asking.get("/v1/models/org/big")
        none = await asking.get("/v1/models/gpt-5")
    assert answer["object"] == "list"
    assert [(model["id"], model["default"]) for model in answer["data"]] == [
        ("local", True),
        ("org/big", False),
    ]
    assert one.json()["id"] == "org/big"
    assert (none.status_code, none.json()["error"]["code"]) == (404, "model_not_found")


async def test_moshi_is_a_model_where_the_operator_has_it(bus: Bus, settings: GatewaySettings) -> None:
    app = FastAPI()
    with_moshi = settings.model_copy(update={"moshi_variants": ("sft",)})
    keys = ApiKeys(settings)
    app.include_router(create_offers_router(Offerings(bus, "default"), keys, served_names(with_moshi)))
    async with worker(bus, Stage.LLM, *MODELS), client_of(app) as client:
        answer = (await client.get("/v1/models")).json()
        assert [model["id"] for model in answer["data"]] == ["local", "org/big", "moshi-sft"]
        assert (await client.get("/v1/models/moshi-sft")).json()["default"] is False


async def test_voices_come_with_their_languages(bus: Bus, asking: httpx.AsyncClient) -> None:
    async with worker(bus, Stage.TTS, Offer(name="joe", language="en", is_default=True)):
        answer = (await asking.get("/v1/voices")).json()
    assert answer["data"] == [{"id": "joe", "object": "voice", "language": "en", "default": True}]


async def test_where_nobody_works_nothing_is_offered(bus: Bus, asking: httpx.AsyncClient) -> None:
    async with worker(bus, Stage.LLM, *MODELS, pool="others"):
        assert (await asking.get("/v1/models")).json()["data"] == []


async def test_workers_that_do_not_answer_are_not_taken_for_none(
    bus: Bus, asking: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offerings, "_ANSWER_S", 0.05)
    await bus.subscribe(offers_subject(Stage.LLM, "default"), lambda _asked: None)
    answer = await asking.get("/v1/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "bus_unavailable")
    assert "Retry-After" in answer.headers


async def test_who_asks_beside_others_of_workers_that_do_not_answer_does_not_wait_for_each(
    bus: Bus, asking: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offerings, "_ANSWER_S", 0.05)
    questions: list[Message] = []
    await bus.subscribe(offers_subject(Stage.LLM, "default"), questions.append)
    answers = await asyncio.gather(*(asking.get("/v1/models") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {503}
    assert len(questions) == 1
    monkeypatch.setattr(offerings, "_AGAIN_S", 0.0)
    await asking.get("/v1/models")
    assert len(questions) == 2


async def test_workers_are_asked_once_however_many_clients_ask(bus: Bus, asking: httpx.AsyncClient) -> None:
    questions: list[Message] = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(worker(bus, Stage.LLM, *MODELS))
        await stack.enter_async_context(worker(bus, Stage.LLM, *MODELS))
        await bus.subscribe(offers_subject(Stage.LLM, "default"), questions.append)
        answers = await asyncio.gather(*(asking.get("/v1/models") for _ in range(20)))
    assert {len(answer.json()["data"]) for answer in answers} == {2}
    assert len(questions) == 1


def test_nobody_without_a_key_is_told(guarded_gateway: Gateway) -> None:
    for path in ("models", "models/local", "voices"):
        url = f"{guarded_gateway.url}/v1/{path}"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"Authorization": f"Bearer {KEY}"}).status_code in (200, 404)


def test_openais_own_client_reads_the_list_of_a_stack(stack: StackState) -> None:
    with openai.OpenAI(base_url=f"{stack.url}/v1", api_key="none") as client:
        assert next(iter(client.models.list())).id == "simulated"
        assert client.models.retrieve("simulated").object == "model"
    assert [voice["id"] for voice in httpx.get(f"{stack.url}/v1/voices").json()["data"]] == ["simulated"]


async def test_a_worker_that_could_not_tell_says_so_and_tells_again(
    bus: Bus, asking: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subscribe, tries = bus.subscribe, 0

    async def wrong_at_first(*given: Any, **named: Any) -> Subscription:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise BusError("not allowed")
        return await subscribe(*given, **named)

    monkeypatch.setattr(bus, "subscribe", wrong_at_first)
    monkeypatch.setattr(telling_offers, "_AGAIN_S", 0.01)
    async with worker(bus, Stage.LLM, *MODELS):
        answer = (await asking.get("/v1/models")).json()
    assert [model["id"] for model in answer["data"]] == ["local", "org/big"]
    assert "gateways are not told" in "".join(capsys.readouterr())
