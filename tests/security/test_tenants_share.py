"""The clients of one tenant use up the tenant's share together, and not another's (S9, S19)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from dialtone.gateway.rest.auth import ApiKeys
from dialtone.gateway.settings import OPEN_TENANT, GatewaySettings
from dialtone.local.state import StackState
from tests.fixtures.gateway import KEY, OTHER_KEY, Gateway, running_gateway
from tests.fixtures.gateway_processes import joining

from .test_links import until

PLACES = 16
THIRD_KEY, FOURTH_KEY, FIFTH_KEY = (f"{name}-key-0123456789" for name in ("third", "fourth", "fifth"))
LEAST = 5  # tokens: less than any answer uses


def calling(url: str, key: str, more: str = "") -> connect:
    headers = {"Authorization": f"Bearer {key}"}
    address = f"{url.replace('http', 'ws', 1)}/v1/realtime?model=default{more}"
    return connect(address, additional_headers=headers, compression=None)


async def begun(url: str) -> str | None:
    """The id of a session that a call has begun; None: it was refused for coming too often."""
    try:
        async with calling(url, KEY) as socket:
            session_id: str = json.loads(await socket.recv())["session"]["id"]
            return session_id
    except InvalidStatus as refused:
        if refused.response.status_code != 429:
            raise
        return None


async def answered(socket: ClientConnection) -> tuple[str, str | None]:
    """The status of a response that is asked for, and the code of its error."""
    await socket.send(json.dumps({"type": "response.create", "response": {"output_modalities": ["text"]}}))
    response = (await until(socket, "response.done"))["response"]
    error = (response["status_details"] or {}).get("error") or {}
    return response["status"], error.get("code")


async def shaken_hands(asking: connect) -> int:
    """The status of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        await asking
    return refused.value.response.status_code


async def statuses(url: str, number: int, key: str) -> tuple[list[int], list[int]]:
    """Of so many requests, and then of so many handshakes."""

    async def handshake() -> int:
        return await shaken_hands(calling(url, key, "&intent=none"))  # 400, were it let in

    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}) as http:
        answers = await asyncio.gather(*(http.get("/v1/sessions") for _ in range(number)))
    shaken = await asyncio.gather(*(handshake() for _ in range(number)))
    return [answer.status_code for answer in answers], list(shaken)


async def test_the_requests_of_a_tenant_are_counted_together_wherever_they_come_from(tmp_path: Path) -> None:
    limits = {"API_KEYS": f"acme:{KEY},{OTHER_KEY}", "TENANT_REQUESTS_PER_MINUTE": "40"}  # 10 at once
    with running_gateway(tmp_path, **limits) as gateway:
        asked, shaken = await statuses(gateway.url, 60, KEY)
        assert set(asked) == {200, 429}
        assert 10 <= asked.count(200) < 40
        assert shaken.count(429) > 20
        assert await statuses(gateway.url, 4, OTHER_KEY) == ([200] * 4, [400] * 4)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One at which a tenant may ask for ten things at once, and have `PLACES` calls."""
    others = f"third:{THIRD_KEY},fourth:{FOURTH_KEY},fifth:{FIFTH_KEY}"
    limits = {"API_KEYS": f"acme:{KEY},{OTHER_KEY},{others}", "TENANT_REQUESTS_PER_MINUTE": "40"}
    with running_gateway(
        tmp_path_factory.mktemp("narrow"), **limits, MAX_CALLS_PER_TENANT=str(PLACES)
    ) as gateway:
        yield gateway


async def test_the_calls_of_a_tenant_come_back_all_at_once_and_a_flood_of_them_does_not(
    narrow: Gateway,
) -> None:
    sessions: list[str] = []
    while (session_id := await begun(narrow.url)) is not None:
        sessions.append(session_id)
    asking = [calling(narrow.url, KEY, f"&session_id={session_id}") for session_id in sessions[:10]]
    returned = await asyncio.gather(*asking)
    assert len(returned) == 10
    for socket in returned:
        await socket.close()
    tried = [await shaken_hands(calling(narrow.url, KEY, "&session_id=nobodys")) for _ in range(2 * PLACES)]
    assert 429 in tried
    assert tried.count(404) < PLACES


async def by_realtime(url: str, named: str, key: str) -> None:
    assert await shaken_hands(calling(url, key, f"&session_id={named}")) in (404, 429)


async def by_voice_call(url: str, named: str, key: str) -> None:
    address = f"{url.replace('http', 'ws', 1)}/chat/voice_call"
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(address, additional_headers=headers) as socket:
        await socket.send(json.dumps({"audio": "", "meta_info": {"session_id": named}}))
        with suppress(ConnectionClosedError):
            async for _ in socket:
                pass  # to its end


@pytest.mark.parametrize(
    ("come", "named", "key"),
    [
        (by_realtime, "nobodys", THIRD_KEY),
        (by_realtime, "no%20id", FIFTH_KEY),
        (by_voice_call, "nobodys", FOURTH_KEY),
    ],
    ids=["realtime", "no id", "voice call"],
)
async def test_who_names_sessions_that_are_not_there_asks_for_something_new(
    narrow: Gateway, come: Callable[[str, str, str], Awaitable[None]], named: str, key: str
) -> None:
    async with httpx.AsyncClient(base_url=narrow.url, headers={"Authorization": f"Bearer {key}"}) as http:
        assert (await http.get("/v1/sessions")).status_code == 200
        await asyncio.gather(*(come(narrow.url, f"{named}{number}", key) for number in range(PLACES - 2)))
        answers = await asyncio.gather(*(http.get("/v1/sessions") for _ in range(9)))
    assert [answer.status_code for answer in answers].count(200) < 5  # what comes in while they come


async def test_handshakes_of_voice_calls_are_counted_too(narrow: Gateway) -> None:
    headers = {"Authorization": f"Bearer {OTHER_KEY}"}
    refusals = []
    for _ in range(3 * PLACES):
        try:
            async with connect(f"{narrow.socket_url}/chat/voice_call", additional_headers=headers):
                pass
        except InvalidStatus as refused:
            refusals.append(refused.response)
    assert PLACES < len(refusals) <= 2 * PLACES
    assert {refused.status_code for refused in refusals} == {429}
    assert json.loads(refusals[0].body or b"")["error"]["code"] == "rate_limit_exceeded"


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
