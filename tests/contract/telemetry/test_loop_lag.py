"""What blocks the event loop is named while it does."""

import asyncio
import json
import time

import pytest

from dialtone.telemetry import configure_logging, loop_lag, watch_loop_lag
from dialtone.telemetry.metrics import LOOP_STALLS


def sits_on_the_loop(seconds: float) -> None:
    time.sleep(seconds)


def stalls() -> float:
    (metric,) = LOOP_STALLS.collect()
    return metric.samples[0].value


@pytest.fixture
def sensitive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_lag, "_STALLED_S", 0.4)


@pytest.mark.usefixtures("sensitive")
async def test_the_code_that_blocks_the_loop_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test")
    before = stalls()
    watching = asyncio.create_task(watch_loop_lag())
    await asyncio.sleep(0.2)
    sits_on_the_loop(0.9)
    await asyncio.sleep(0.2)
    watching.cancel()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (blocked,) = (line for line in lines if line["event"] == "event loop is blocked")
    assert blocked["stack"][-1].endswith(" sits_on_the_loop")
    assert "event loop was blocked" in [line["event"] for line in lines]
    assert stalls() == before + 1


@pytest.mark.usefixtures("sensitive")
async def test_a_loop_that_turns_is_left_in_peace(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("test")
    before = stalls()
    watching = asyncio.create_task(watch_loop_lag())
    for _ in range(12):
        sits_on_the_loop(0.05)
        await asyncio.sleep(0)
    watching.cancel()
    assert "event loop is blocked" not in capsys.readouterr().err
    assert stalls() == before
