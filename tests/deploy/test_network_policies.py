"""Who reaches whom: the edges of this table and no others."""

from __future__ import annotations

import copy

import pytest

from tests.deploy.network_edges import Edge, edges, ports_that_are_none
from tests.deploy.rendered import NAME, SERVICES, of_kind, overlay, workloads

WORKERS = ("vad-asr", "llm", "tts")
INSIDE = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"}
EXPECTED = {
    *(Edge(service, "nats", "client") for service in SERVICES),
    *(Edge("nats", "nats", "cluster") for _ in (1,)),
    Edge("gateway", "valkey", "redis"),
    Edge("gateway", "postgres", "postgres"),
    # From outside: clients, the scraper, the scaler.
    Edge("namespace/gateways", "gateway", "http"),
    Edge("namespace/monitoring", "gateway", "metrics"),
    *(Edge("namespace/monitoring", worker, "http") for worker in WORKERS),
    Edge("namespace/keda", "nats", "monitor"),
    # To the outside: names, models that are served elsewhere, the hub of models.
    *(
        Edge(pod, "namespace/kube-system", "53")
        for pod in (*SERVICES, "nats", "valkey", "postgres", "fetch-models")
    ),
    Edge("llm", "0.0.0.0/0", "443"),
    Edge("fetch-models", "0.0.0.0/0", "443"),
}


OF_MOSHI = {
    Edge("moshi", "nats", "client"),
    Edge("namespace/monitoring", "moshi", "http"),
    Edge("moshi", "namespace/kube-system", "53"),
}


@pytest.mark.parametrize(
    ("name", "more"), [("production", set()), ("production-gpu", set()), ("production-moshi", OF_MOSHI)]
)
def test_only_the_named_edges_are_open(name: str, more: set[Edge]) -> None:
    assert edges(overlay(name)) == EXPECTED | more
    assert list(ports_that_are_none(overlay(name))) == []


@pytest.mark.parametrize("name", ["production", "production-gpu"])
def test_the_world_outside_is_not_the_clusters_own_network_nor_its_clouds_metadata(name: str) -> None:
    blocks = [
        peer["ipBlock"]
        for policy in of_kind(overlay(name), "NetworkPolicy")
        for rule in policy["spec"].get("egress", ())
        for peer in rule.get("to", ())
        if "ipBlock" in peer
    ]
    assert len(blocks) == 2
    for block in blocks:
        assert set(block["except"]) >= INSIDE


def test_without_policies_everything_is_open() -> None:
    """The laptop's overlay has none: what this test would find of a pod that a policy forgot."""
    assert Edge("llm", "anywhere", "any") in edges(overlay("laptop"))


def test_an_edge_that_one_side_alone_allows_is_none() -> None:
    manifests = copy.deepcopy(list(overlay("production")))
    for policy in of_kind(manifests, "NetworkPolicy"):
        if policy["metadata"]["name"] == "valkey":
            policy["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"][NAME] = "llm"
    assert EXPECTED - edges(manifests) == {Edge("gateway", "valkey", "redis")}


def test_a_policy_that_leads_to_no_port_is_found() -> None:
    manifests = copy.deepcopy(list(overlay("production")))
    (gateway,) = (w for w in workloads(manifests) if w["metadata"]["name"] == "gateway")
    for port in gateway["spec"]["template"]["spec"]["containers"][0]["ports"]:
        port["name"] += "-renamed"
    assert any("gateway" in problem for problem in ports_that_are_none(manifests))
