"""A call as a state machine: whatever its client, its workers, the broker and time do, in any order,
what it says to each of them stays true, and it owes nobody anything for good."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize

from dialtone.gateway.core.items import InputText, Item, MessageItem, OutputText
from dialtone.gateway.dialects.realtime_beta import RealtimeBetaDialect
from tests.fixtures.effort import examples

from .client_rules import ClientRules
from .players import Players
from .requests import CONFIGS
from .watched_rig import WatchedRig
from .worker_rules import WorkerRules

HISTORY: list[Item] = [
    MessageItem("item_old_1", "user", [InputText("Good morning.")]),
    MessageItem("item_old_2", "assistant", [OutputText("Good morning to you.")]),
]


class CallMachine(ClientRules, WorkerRules):
    @initialize(config=st.sampled_from(list(CONFIGS)), resumed=st.booleans())
    def opened(self, config: str, resumed: bool) -> None:
        self.rig = WatchedRig(RealtimeBetaDialect().configure(CONFIGS[config]), HISTORY if resumed else [])
        self.players = Players(self.rig)

    def teardown(self) -> None:
        if hasattr(self, "rig") and not self.rig.broken:
            self.rig.end()


TestCall = CallMachine.TestCase
TestCall.settings = settings(
    max_examples=examples(250),
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
TestCall = pytest.mark.timeout(3600)(TestCall)  # of the long profile; the usual one takes half a minute
