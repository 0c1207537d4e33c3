"""The dashboards and the alerts in a real Prometheus, which scrapes a stack that real calls go through."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.monitoring.alerts import ALERTS
from deploy.monitoring.boards import BOARDS
from deploy.monitoring.rules import rule_file
from dialtone.local.call.recording import Recording
from dialtone.local.state import StackState
from tests.fixtures.prometheus import Prometheus, scraping
from tests.fixtures.stack import running
from tests.fixtures.waiting import eventually
from tests.integration.voice_caller import new_session, voice_calling

OF_REAL_MODELS = {
    "Recognition",
    "Servers of models",
    "Voices of vendors",
    "Who recognises",
    "Servers that are not asked just now",
    "A step of all calls",
}
"""Panels of what simulated stages do not have."""
_ANSWERED = 'dialtone_gateway_responses_total{status="completed"}'


async def _answered_call(prometheus: Prometheus, url: str, question: Recording) -> None:
    """Ask a question, hear the answer, and return when Prometheus has seen all that came of it."""
    before = await prometheus.total(_ANSWERED)
    session = await new_session(url)
    async with voice_calling(url, session["id"]) as caller:
        await caller.say(question, then_silence_s=1.2)
        await caller.send(is_close=True)
        await caller.read_to_the_end()

    async def known() -> bool:
        return await prometheus.total(_ANSWERED) > before

    await eventually(known, within_s=30)
    await prometheus.look_again()


async def test_every_panel_shows_the_calls_of_a_run_and_every_alert_is_evaluated(
    stack: StackState, question: Recording, tmp_path: Path
) -> None:
    async with scraping(stack, tmp_path, rule_file(ALERTS)) as prometheus:
        # The names of backends and voices are known from the first call on, so rates of them from the second.
        for _ in range(2):
            await _answered_call(prometheus, stack.url, question)
        empty = set()
        for panel in (panel for board in BOARDS for _, panels in board.rows for panel in panels):
            found = [
                value
                for query in panel.queries
                for _, value in await prometheus.query(query.expr.replace("$__rate_interval", "1m"))
            ]
            if not any(math.isfinite(value) for value in found):
                empty.add(panel.title)
        assert empty == OF_REAL_MODELS

        async def evaluated() -> bool:
            return all(rule["health"] != "unknown" for rule in await prometheus.rules())

        await eventually(evaluated, within_s=20)
        assert {rule["name"]: rule["health"] for rule in await prometheus.rules()} == {
            alert.name: "ok" for alert in ALERTS
        }
        # A stack in which all is well, whatever other tests have done to it before.
        for name in ("DialtoneNoGateway", "DialtoneStageMissing", "DialtoneBrokerLost", "DialtoneStoreDown"):
            (alert,) = (alert for alert in ALERTS if alert.name == name)
            assert await prometheus.query(alert.expr) == [], name


@pytest.mark.chaos
async def test_an_alert_fires_when_a_stage_is_lost_and_rests_when_it_is_back(tmp_path: Path) -> None:
    at_once = rule_file([replace(alert, for_="2s") for alert in ALERTS])
    with running("simulated", tmp_path / "stack") as stack:
        async with scraping(stack, tmp_path / "prometheus", at_once) as prometheus:

            async def fires() -> bool:
                return bool(await prometheus.firing("DialtoneStageMissing"))

            async def rests() -> bool:
                return not await fires()

            await eventually(rests, within_s=30)  # the first looks at the services may be seconds apart
            os.kill(stack.pid, signal.SIGSTOP)  # the supervisor, which would start it anew within a second
            try:
                os.kill(stack.processes["tts"].pid, signal.SIGKILL)
                await eventually(fires, within_s=30)
                (labels,) = await prometheus.firing("DialtoneStageMissing")
                assert labels["stage"] == "tts"
                assert labels["severity"] == "critical"
            finally:
                os.kill(stack.pid, signal.SIGCONT)
            await eventually(rests, within_s=60)
