"""How the gateway starts where no keys are configured: open on this machine, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from dialtone.gateway.settings import GatewaySettings
from tests.fixtures.gateway import Gateway, gateway_environment


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_keys_it_refuses_to_be_reached_from_elsewhere(tmp_path: Path, host: str) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "dialtone.gateway"],
        env=gateway_environment(tmp_path, HTTP_HOST=host),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert refused.returncode == 1
    assert "API_KEYS" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_without_keys_it_says_that_it_is_open(open_gateway: Gateway, guarded_gateway: Gateway) -> None:
    assert "no API_KEYS are set" in open_gateway.log.read_text()
    assert "API_KEYS" not in guarded_gateway.log.read_text()


def test_metrics_are_kept_from_those_who_only_may_call(
    guarded_gateway: Gateway, open_gateway: Gateway
) -> None:
    """The guarded one serves them at a port of their own, the other one only to this machine anyway."""
    assert guarded_gateway.metrics_url != guarded_gateway.url
    assert httpx.get(f"{guarded_gateway.url}/metrics").status_code == 404
    for url in (guarded_gateway.metrics_url, open_gateway.url):
        assert "dialtone_gateway_active_calls" in httpx.get(f"{url}/metrics").text
    assert httpx.get(f"{guarded_gateway.metrics_url}/v1/sessions").status_code == 404


@pytest.mark.parametrize(
    ("host", "port", "public"), [("127.0.0.1", 0, True), ("127.0.0.1", 9, False), ("::", 0, False)]
)
def test_metrics_are_public_only_where_the_public_is_this_machine(host: str, port: int, public: bool) -> None:
    keys = (SecretStr("0123456789abcdef"),)
    assert GatewaySettings(http_host=host, metrics_port=port, api_keys=keys).metrics_are_public is public
