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
_SLOTS = {GATEWAY: "MAX_CALLS", EARS: "EARS_SLOTS", LLM: "LLM_SLOTS", TTS: "TTS_SLOTS"}
_STAGES = {EARS: ASR, LLM: LLM_STAGE, TTS: TTS_STAGE}


def read_policies() -> dict[str, Policy]:
    """The policy of each deployment."""
    found = (
        read_policy(path)
        for path in sorted((MANIFESTS / "components" / "keda").glob("*.yaml"))
        if path.stem != "kustomization"
    )
    return {policy.name: policy for policy in found}


def read_shapes(measured: Measured) -> dict[str, Shape]:
    """The shape of each deployment."""
    return {name: _shape(name, measured) for name in (GATEWAY, EARS, LLM, TTS)}


def _shape(name: str, measured: Measured) -> Shape:
    documents = yaml.safe_load_all((MANIFESTS / "base" / name / "workload.yaml").read_text())
    deployment = next(one for one in documents if one["kind"] == "Deployment")
    container: Mapping[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    environment = {one["name"]: one.get("value") for one in container["env"]}
    claim_s = Limits().claim_s
    return Shape(
        name=name,
        slots=int(environment[_SLOTS[name]]),
        start_s=measured.start_s[name],
        pods_per_node=max(1, math.floor(NODE_CORES / _cores(container["resources"]["requests"]["cpu"]))),
        claim_s=claim_s[_STAGES[name]] if name in _STAGES else 1.0,
    )


def _cores(quantity: str) -> float:
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
