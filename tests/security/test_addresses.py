"""Requests are counted for each address, and nobody chooses the address that counts (S9, S28)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from dialtone.gateway.runtime.rates import Bucket, Rates, network_of
from tests.fixtures.gateway import Gateway, running_gateway

PER_MINUTE = 240  # of these 60 at once
FOR_EACH = {"X-Forwarded-For": "192.0.2.{}", "X-Real-IP": "192.0.2.{}", "Forwarded": "for=192.0.2.{}"}


async def statuses(url: str, number: int, headers: dict[str, str]) -> list[int]:
    """Of so many requests that come at once, each said to be for another client."""
    async with httpx.AsyncClient(base_url=url) as http:
        asked = [
            http.get("/v1/sessions", headers={name: value.format(i) for name, value in headers.items()})
            for i in range(number)
        ]
        answers = await asyncio.gather(*asked)
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["error"]["code"] == "rate_limit_exceeded"
            assert int(answer.headers["Retry-After"]) > 0
    return [answer.status_code for answer in answers]


async def handshake(gateway: Gateway) -> int:
    """The status of one for a socket that there is not."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{gateway.socket_url}/nowhere")
    response = refused.value.response
    assert response.status_code == 404 or int(response.headers["Retry-After"]) > 0
    return response.status_code


async def test_an_address_that_asks_too_often_waits_whatever_it_says_of_itself(tmp_path: Path) -> None:
    with running_gateway(tmp_path, ADDRESS_REQUESTS_PER_MINUTE=str(PER_MINUTE)) as gateway:
        got = await statuses(gateway.url, 120, FOR_EACH)
        shaken = await asyncio.gather(*(handshake(gateway) for _ in range(40)))
    assert 40 < got.count(200) < 100, got
    assert got.count(429) == 120 - got.count(200)
    assert shaken.count(429) > 0, shaken  # they are requests, too


async def test_a_trusted_proxy_says_whom_it_speaks_for(tmp_path: Path) -> None:
    limits = {"ADDRESS_REQUESTS_PER_MINUTE": str(PER_MINUTE), "TRUSTED_PROXIES": "127.0.0.0/8,::1"}
    with running_gateway(tmp_path, **limits) as gateway:
        assert set(await statuses(gateway.url, 120, FOR_EACH)) == {200}
        # What a client wrote into the header itself stands before what the proxy added.
        got = await statuses(gateway.url, 120, {"X-Forwarded-For": "192.0.2.{}, 198.51.100.7"})
        # Of IPv6, one client has a whole network.
        one_network = await statuses(gateway.url, 120, {"X-Forwarded-For": "2001:db8:1:2::{}"})
        networks = await statuses(gateway.url, 120, {"X-Forwarded-For": "2001:db8:2:{}::1"})
    for counted in (got, one_network):
        assert 40 < counted.count(200) < 100, counted
    assert set(networks) == {200}


def test_a_bucket_fills_at_its_rate_and_no_further() -> None:
    bucket = Bucket(per_s=2.0, most=3.0)
    assert [bucket.take(10.0) for _ in range(3)] == [0.0] * 3
    assert bucket.take(10.0) == pytest.approx(0.5)
    assert bucket.take(10.5) == 0.0
    assert [bucket.take(1000.0) for _ in range(4)] == [0.0] * 3 + [0.5]


def test_those_who_come_from_everywhere_take_bounded_memory() -> None:
    rates = Rates(60)
    for number in range(30_000):
        rates.take(str(number), 0.0)
    assert len(rates._buckets) == 10_000


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("unix:", "unix:"),
    ],
)
def test_a_client_has_all_of_an_ipv6_network(host: str, network: str) -> None:
    assert network_of(host) == network
