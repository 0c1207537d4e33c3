"""The time that a pod is given to end is what its process takes, by the settings and the code of both."""

from __future__ import annotations

import json
import re

import pytest

from dialtone.bus import worker
from dialtone.gateway import __main__ as gateway
from dialtone.gateway.runtime import switchboard
from tests.deploy.pod_policies import AFTER_GRACE_S
from tests.deploy.rendered import K8S, OVERLAYS, SERVICES, Manifest, one, overlay, pod_of

_LAME_DUCK = re.compile(r'^lame_duck_(duration|grace_period): "?(\d+)s"?$', re.MULTILINE)


def _lame_duck_s(config: str) -> float:
    """What a server of the broker takes to send its clients away."""
    said = {name: float(seconds) for name, seconds in _LAME_DUCK.findall(config)}
    return said["duration"] + said["grace_period"]


def _nats_fits(manifests: list[Manifest] | tuple[Manifest, ...]) -> bool:
    pod = pod_of(one(manifests, "StatefulSet", "nats"))
    takes_s = _lame_duck_s((K8S / "base/nats/config/nats.conf").read_text())
    return bool(pod["terminationGracePeriodSeconds"] > takes_s)


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_server_of_the_broker_has_the_time_to_send_its_clients_away(name: str) -> None:
    assert _nats_fits(overlay(name))


def test_less_time_than_that_is_found() -> None:
    manifests = json.loads(json.dumps(overlay("production")))
    pod_of(one(manifests, "StatefulSet", "nats"))["terminationGracePeriodSeconds"] = 30
    assert not _nats_fits(manifests)


def test_a_process_is_through_before_it_is_killed() -> None:
    """`pod_policies.drained` adds this to preStop and DRAIN_GRACE_S."""
    assert AFTER_GRACE_S["gateway"] > switchboard.FAREWELL_S + gateway.LAST_REQUESTS_S
    assert min(AFTER_GRACE_S[name] for name in SERVICES if name != "gateway") > worker.HANDBACK_S
