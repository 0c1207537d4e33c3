"""`GET /v1/realtime/place` says what a handshake would be refused with, to a page that cannot see that."""

from __future__ import annotations

from pathlib import Path

import httpx
from websockets.asyncio.client import connect

from tests.fixtures.gateway import KEY, Gateway, running_gateway


async def test_a_full_gateway_says_so_and_when_to_come_again(tmp_path: Path) -> None:
    with running_gateway(tmp_path, MAX_CALLS="1") as gateway:
        async with httpx.AsyncClient(base_url=gateway.url) as http:
            assert (await http.get("/v1/realtime/place")).status_code == 204
            async with connect(f"{gateway.socket_url}/v1/realtime?model=default"):
                answer = await http.get("/v1/realtime/place")
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gateway_full")
                assert int(answer.headers["retry-after"]) > 0


async def test_only_who_may_call_is_told(guarded_gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=guarded_gateway.url) as http:
        assert (await http.get("/v1/realtime/place")).status_code == 401
        allowed = await http.get("/v1/realtime/place", headers={"Authorization": f"Bearer {KEY}"})
    assert allowed.status_code == 204
