"""The clients of one tenant use up the tenant's share together, and not another's (S9, S19)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.settings import OPEN_TENANT, GatewaySettings
from dialtone.local.state import StackState
from tests.fixtures.gateway import KEY, OTHER_KEY, running_gateway
from tests.fixtures.gateway_processes import joining

from .test_links import until

LEAST = 5  # tokens: less than any answer uses


def calling(url: str, key: str, more: str = "") -> connect:
    headers = {"Authorization": f"Bearer {key}"}
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?model=default{more}"
    return connect(address, additional_headers=headers, compression=None)


async def answered(socket: ClientConnection) -> tuple[str, str | None]:
    """The status of a response that is asked for, and the code of its error."""
    await socket.send(json.dumps({"type": "response.create", "response": {"output_modalities": ["text"]}}))
    response = (await until(socket, "response.done"))["response"]
    error = (response["status_details"] or {}).get("error") or {}
    return response["status"], error.get("code")


async def statuses(url: str, number: int, key: str) -> tuple[list[int], list[int]]:
    """Of so many requests, and then of so many handshakes."""

    async def handshake(name: int) -> int:
        with pytest.raises(InvalidStatus) as refused:
            await calling(url, key, f"&session_id=nobodys_{name}")
        return refused.value.response.status_code

    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}) as http:
        answers = await asyncio.gather(*(http.get("/v1/sessions") for _ in range(number)))
    shaken = await asyncio.gather(*(handshake(name) for name in range(number)))
    return [answer.status_code for answer in answers], list(shaken)


async def test_the_requests_of_a_tenant_are_counted_together_wherever_they_come_from(tmp_path: Path) -> None:
    limits = {"API_KEYS": f"acme:{KEY},{OTHER_KEY}", "TENANT_REQUESTS_PER_MINUTE": "40"}  # 10 at once
    with running_gateway(tmp_path, **limits) as gateway:
        asked, shaken = await statuses(gateway.url, 60, KEY)
        assert set(asked) == {200, 429}
        assert 10 <= asked.count(200) < 40
        assert shaken.count(429) > 20
        assert await statuses(gateway.url, 4, OTHER_KEY) == ([200] * 4, [404] * 4)


def test_where_nobody_needs_a_key_all_are_one_tenant_which_is_not_counted() -> None:
    keys = ApiKeys(GatewaySettings(tenant_requests_per_minute=1))
    assert not any(keys.comes_too_often(OPEN_TENANT) for _ in range(100))


async def test_what_one_call_used_is_missing_to_the_others_of_its_tenant_alone(
    stack: StackState, tmp_path: Path
) -> None:
    limits = {"API_KEYS": f"acme:{KEY},{OTHER_KEY}", "TENANT_TOKENS_PER_MINUTE": str(LEAST)}
    async with (
        joining(stack, tmp_path, **limits) as gateway,
        calling(gateway.url, KEY) as first,
        calling(gateway.url, KEY) as beside,
        calling(gateway.url, OTHER_KEY) as strangers,
    ):
        assert await answered(first) == ("completed", None)
        async with calling(gateway.url, KEY) as later:
            for socket in (first, beside, later):
                assert await answered(socket) == ("failed", "rate_limit_exceeded")
        assert await answered(strangers) == ("completed", None)
