"""How the gateway starts where no keys are configured: open on this machine, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
