"""What the network policies let pass: who reaches whom at which port."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.deploy.reference_policies import matches
from tests.deploy.rendered import NAME, Manifest, of_kind, pod_of, workloads

NAMESPACE = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """From a pod's name or `namespace/NAME`, to a pod's name, `namespace/NAME` or a block of addresses."""

    source: str
    target: str
    port: str


def edges(manifests: Sequence[Manifest]) -> set[Edge]:
    """Every connection that both sides allow; of the world outside, the side that is ours."""
    pods = {
        workload["spec"]["template"]["metadata"]["labels"][NAME]: workload
        for workload in workloads(manifests)
    }
    labels = {name: workload["spec"]["template"]["metadata"]["labels"] for name, workload in pods.items()}
    policies = [found["spec"] for found in of_kind(manifests, "NetworkPolicy")]
    found: set[Edge] = set()
    for name in pods:
        mine = [policy for policy in policies if matches(policy["podSelector"], labels[name])]
        for direction, side in (("Egress", "to"), ("Ingress", "from")):
            if not any(direction in policy["policyTypes"] for policy in mine):
                found.add(Edge(name, "anywhere", "any") if side == "to" else Edge("anywhere", name, "any"))
            for policy in mine:
                for rule in policy.get(direction.lower(), ()):
                    for peer in _peers(rule.get(side, [None]), labels):
                        for port in rule.get("ports", [{"port": "any"}]):
                            source, target = (name, peer) if side == "to" else (peer, name)
                            found.add(Edge(source, target, f"{direction} {port['port']}"))
    return set(_agreed(found, set(pods)))


def ports_that_are_none(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Named ports of policies that no pod has which they lead to."""
    ports = {
        workload["spec"]["template"]["metadata"]["labels"][NAME]: {
            port["name"]
            for container in pod_of(workload)["containers"]
            for port in container.get("ports", ())
        }
        for workload in workloads(manifests)
    }
    for edge in sorted(edges(manifests)):
        if edge.target in ports and edge.port != "any" and edge.port not in ports[edge.target]:
            yield f"{edge.source} to {edge.target}: no port {edge.port}"


def _agreed(found: set[Edge], pods: set[str]) -> Iterator[Edge]:
    for edge in found:
        direction, _, port = edge.port.rpartition(" ")
        both = edge.source in pods and edge.target in pods
        other = {"Egress": "Ingress", "Ingress": "Egress"}.get(direction, "")
        if not both or Edge(edge.source, edge.target, f"{other} {port}") in found:
            yield Edge(edge.source, edge.target, port)


def _peers(rules: list[Any], labels: dict[str, dict[str, str]]) -> Iterator[str]:
    for peer in rules:
        if peer is None:
            yield "anywhere"
        elif "ipBlock" in peer:
            yield peer["ipBlock"]["cidr"]
        elif "namespaceSelector" in peer:
            yield f"namespace/{peer['namespaceSelector'].get('matchLabels', {}).get(NAMESPACE, '*')}"
        else:
            yield from (name for name, own in labels.items() if matches(peer["podSelector"], own))
