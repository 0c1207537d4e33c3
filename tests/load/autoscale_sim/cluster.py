"""What is deployed, read from the manifests: slots of a pod, its policy, its part of a node."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dialtone.gateway.core.context import ASR, Limits
from dialtone.gateway.core.context import LLM as LLM_STAGE
from dialtone.gateway.core.context import TTS as TTS_STAGE
from tests.load.autoscale_sim.day import EARS, GATEWAY, LLM, TTS
from tests.load.autoscale_sim.fleet import Shape
from tests.load.autoscale_sim.measured import Measured
from tests.load.autoscale_sim.policy import Policy, read_policy

MANIFESTS = Path(__file__).parents[3] / "deploy" / "k8s"
NODE_CORES = 16
"""A node of the simulated cluster."""
_CALLS_AGAIN_S = 10.0
"""For so long a client tries again whose gateway is gone."""
_SLOTS = {GATEWAY: "MAX_CALLS", EARS: "EARS_SLOTS", LLM: "LLM_SLOTS", TTS: "TTS_SLOTS"}
_STAGES = {EARS: ASR, LLM: LLM_STAGE, TTS: TTS_STAGE}


def read_policies() -> dict[str, Policy]:
    """The policy of each deployment."""
    monitors = (MANIFESTS / "components" / "monitoring" / "pod-monitors.yaml").read_text()
    (scraped_s,) = {
        float(endpoint["interval"].removesuffix("s"))
        for monitor in yaml.safe_load_all(monitors)
        for endpoint in monitor["spec"]["podMetricsEndpoints"]
    }
    found = (
        read_policy(path, scraped_s)
        for path in sorted((MANIFESTS / "components" / "keda").glob("*.yaml"))
        if path.stem != "kustomization"
    )
    return {policy.name: policy for policy in found}


def read_shapes(measured: Measured) -> dict[str, Shape]:
    """The shape of each deployment."""
    return {name: _shape(name, measured) for name in (GATEWAY, EARS, LLM, TTS)}


def _container(name: str) -> Mapping[str, Any]:
    documents = yaml.safe_load_all((MANIFESTS / "base" / name / "workload.yaml").read_text())
    deployment = next(one for one in documents if one["kind"] == "Deployment")
    container: Mapping[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return container


def _shape(name: str, measured: Measured) -> Shape:
    container = _container(name)
    environment = {one["name"]: one.get("value") for one in container["env"]}
    claim_s = Limits().claim_s
    return Shape(
        name=name,
        slots=int(environment[_SLOTS[name]]),
        start_s=measured.start_s[name],
        pods_per_node=max(1, math.floor(NODE_CORES / requested_cores(name))),
        claim_s=claim_s[_STAGES[name]] if name in _STAGES else _CALLS_AGAIN_S,
        cores=requested_cores(name),
    )


def requested_cores(name: str) -> float:
    """That a pod of this deployment is given."""
    quantity: str = _container(name)["resources"]["requests"]["cpu"]
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
