"""Each mistake that the schemas and policies are there for is one that they find."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tests.deploy.pod_policies import POD_POLICIES
from tests.deploy.reference_policies import REFERENCE_POLICIES
from tests.deploy.rendered import Manifest, of_kind, one, overlay, pod_of
from tests.deploy.schema_check import schema_problems

Mistake = Callable[[list[Manifest]], Any]


def _deployment(manifests: list[Manifest], name: str) -> Manifest:
    return one(manifests, "Deployment", name)


def _container(manifests: list[Manifest], name: str) -> Manifest:
    kind = "StatefulSet" if name in ("nats", "postgres") else "Deployment"
    container: Manifest = pod_of(one(manifests, kind, name))["containers"][0]
    return container


def _rights(manifests: list[Manifest], name: str) -> Manifest:
    rights: Manifest = pod_of(_deployment(manifests, name))["securityContext"]
    return rights


def _trigger(manifests: list[Manifest], name: str) -> Manifest:
    trigger: Manifest = one(manifests, "ScaledObject", name)["spec"]["triggers"][0]
    return trigger


_CLOUD = (
    '{"a": {"engine": "minimax", "model": "m", "voice": "v", "language": "*", "api_key_env": "CLOUD_KEY"}}'
)


def _variable(manifests: list[Manifest], name: str, variable: str) -> Manifest:
    (found,) = (v for v in _container(manifests, name)["env"] if v["name"] == variable)
    assert isinstance(found, dict)
    return found


def _budget(manifests: list[Manifest], name: str) -> Manifest:
    budget: Manifest = one(manifests, "PodDisruptionBudget", name)["spec"]
    return budget


def _rolling(manifests: list[Manifest], name: str) -> Manifest:
    rolling: Manifest = _deployment(manifests, name)["spec"]["strategy"]["rollingUpdate"]
    return rolling


AGAINST_SCHEMAS: dict[str, tuple[Mistake, str]] = {
    "a member that is none": (lambda m: _container(m, "llm").update(livenesProbe={}), "livenesProbe"),
    "a quantity that is none": (lambda m: _budget(m, "tts").update(maxUnavailable=[1]), "maxUnavailable"),
    "a version that was removed": (
        lambda m: one(m, "PodDisruptionBudget", "tts").update(apiVersion="policy/v1beta1"),
        "no schema",
    ),
    "a kind that nobody knows": (lambda m: _deployment(m, "tts").update(kind="Deplyment"), "no schema"),
    "a member that KEDA does not know": (
        lambda m: one(m, "ScaledObject", "llm")["spec"].update(minReplicas=2),
        "minReplicas",
    ),
    "a scrape by a name that is none": (
        lambda m: of_kind(m, "PodMonitor")[0]["spec"].update(endpoints=[]),
        "endpoints",
    ),
    "a route with a wrong match": (
        lambda m: of_kind(m, "HTTPRoute")[0]["spec"]["rules"][0]["matches"][0]["path"].update(type="Glob"),
        "Glob",
    ),
    "more pods at least than at most": (
        lambda m: one(m, "ScaledObject", "llm")["spec"].update(minReplicaCount=99, maxReplicaCount=9),
        "minReplicaCount must be less than or equal to maxReplicaCount",
    ),
    "a route to a service without a port": (
        lambda m: of_kind(m, "HTTPRoute")[0]["spec"]["rules"][0]["backendRefs"][0].pop("port"),
        "Must have port for Service reference",
    ),
    "a path that is none": (
        lambda m: of_kind(m, "HTTPRoute")[0]["spec"]["rules"][0]["matches"][0]["path"].update(value="v1"),
        "value must be an absolute path",
    ),
    "a backend that may take longer than the request": (
        lambda m: of_kind(m, "HTTPRoute")[0]["spec"]["rules"][0]["timeouts"].update(
            request="10s", backendRequest="20s"
        ),
        "backendRequest timeout cannot be longer than request timeout",
    ),
    "a parent twice": (
        lambda m: of_kind(m, "HTTPRoute")[0]["spec"]["parentRefs"].append(
            dict(of_kind(m, "HTTPRoute")[0]["spec"]["parentRefs"][0])
        ),
        "sectionName must be unique",
    ),
    "a number in a trigger": (
        lambda m: _trigger(m, "llm")["metadata"].update(lagThreshold=3),
        "is not of type 'string'",
    ),
}
AGAINST_POLICIES: dict[str, tuple[Mistake, str]] = {
    # pods
    "root": (lambda m: _rights(m, "llm").pop("runAsNonRoot"), "llm may run as root"),
    "no seccomp": (lambda m: _rights(m, "llm").pop("seccompProfile"), "llm has no seccomp"),
    "a token": (
        lambda m: pod_of(_deployment(m, "tts")).pop("automountServiceAccountToken"),
        "tts has a token",
    ),
    "the node's network": (
        lambda m: pod_of(_deployment(m, "tts")).update(hostNetwork=True),
        "reaches its node",
    ),
    "a writable root": (
        lambda m: _container(m, "nats")["securityContext"].update(readOnlyRootFilesystem=False),
        "nats has privileges",
    ),
    "a capability": (
        lambda m: _container(m, "gateway")["securityContext"]["capabilities"].update(add=["NET_RAW"]),
        "gateway has privileges",
    ),
    "privileged pods": (
        lambda m: of_kind(m, "Namespace")[0]["metadata"]["labels"].clear(),
        "lets pods have privileges",
    ),
    "no limit": (lambda m: _container(m, "tts")["resources"]["limits"].pop("memory"), "tts has no limits"),
    "no request": (lambda m: _container(m, "tts")["resources"]["requests"].pop("cpu"), "tts has no requests"),
    "a volume without end": (
        lambda m: pod_of(_deployment(m, "tts"))["volumes"][1]["emptyDir"].pop("sizeLimit"),
        "fill its node's disk",
    ),
    "the latest image": (lambda m: _container(m, "llm").update(image="dialtone/llm:latest"), "is any"),
    "an image without a tag": (lambda m: _container(m, "llm").update(image="host:5000/llm"), "is any"),
    "no startup": (lambda m: _container(m, "valkey").pop("startupProbe"), "valkey has no startup probe"),
    "no readiness": (lambda m: _container(m, "postgres").pop("readinessProbe"), "no readiness probe"),
    "killed when not ready": (
        lambda m: _container(m, "gateway")["livenessProbe"]["httpGet"].update(path="/readyz"),
        "asked for the wrong thing",
    ),
    "a probe of no port": (
        lambda m: _container(m, "nats")["livenessProbe"]["httpGet"].update(port="monitoring"),
        "which is no port",
    ),
    "too little time to drain": (
        lambda m: pod_of(_deployment(m, "gateway")).update(terminationGracePeriodSeconds=130),
        "killed while it drains",
    ),
    "a longer drain": (lambda m: _variable(m, "llm", "DRAIN_GRACE_S").update(value="60"), "killed while"),
    "a rollout that never begins": (lambda m: _rolling(m, "llm").update(maxSurge=0), "never begins"),
    "a rollout that takes first": (lambda m: _rolling(m, "llm").update(maxUnavailable=1), "before there is"),
    "a rollout that needs a GPU more": (
        lambda m: _rolling(m, "vad-asr").update(maxSurge=1),
        "waits for a GPU",
    ),
    "a budget that keeps a node full": (lambda m: _budget(m, "nats").update(maxUnavailable=0), "no budget"),
    "a budget of another": (
        lambda m: _budget(m, "tts")["selector"]["matchLabels"].update({"app.kubernetes.io/name": "tss"}),
        "tts has no budget",
    ),
    "all on one node": (
        lambda m: pod_of(_deployment(m, "gateway")).pop("topologySpreadConstraints"),
        "on one node alone",
    ),
    "no priority": (lambda m: pod_of(_deployment(m, "tts")).update(priorityClassName="high"), "no priority"),
    "a GPU without its setting": (
        lambda m: _variable(m, "vad-asr", "ASR_DEVICE").update(value="cpu"),
        "do not go together",
    ),
    "a GPU that is kept away": (
        lambda m: pod_of(_deployment(m, "vad-asr")).pop("tolerations"),
        "kept from the nodes",
    ),
    "a password": (
        lambda m: _container(m, "tts")["env"].append({"name": "NATS_PASSWORD", "value": "x"}),
        "for all to read",
    ),
    "an address with a password": (
        lambda m: _container(m, "gateway")["env"].append({"name": "REDIS_URL", "value": "rediss://:x@y"}),
        "for all to read",
    ),
    "a Secret": (
        lambda m: m.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}}),
        "a Secret stands",
    ),
    # references
    "a setting that is none": (
        lambda m: _container(m, "llm")["env"].append({"name": "LLM_SLOT", "value": "4"}),
        "no setting LLM_SLOT",
    ),
    "a setting of another service": (
        lambda m: _container(m, "llm")["env"].append({"name": "EARS_SLOTS", "value": "4"}),
        "no setting EARS_SLOTS",
    ),
    "a key that is not there": (
        lambda m: _container(m, "tts")["env"].append({"name": "TTS_VOICES", "value": _CLOUD}),
        "tts: no CLOUD_KEY, which an entry names",
    ),
    "a variant that nobody serves": (
        lambda m: _variable(m, "gateway", "MOSHI_VARIANTS").update(value="sft,base"),
        "gateways offer Moshi's variants 'sft,base', workers serve 'sft'",
    ),
    "a GPU that Moshi does not use": (
        lambda m: _variable(m, "moshi", "MOSHI_DEVICE").update(value="cpu"),
        "moshi: a GPU, the setting that uses it",
    ),
    "a value that is none": (
        lambda m: _variable(m, "tts", "TTS_SLOTS").update(value="many"),
        "does not take its settings",
    ),
    "a broker in clear": (
        lambda m: one(m, "ConfigMap", "dialtone")["data"].update(NATS_URL="nats://nats:4222"),
        "REQUIRE_TLS",
    ),
    "another port": (
        lambda m: _container(m, "gateway")["ports"][1].update(containerPort=9091),
        "does not listen where",
    ),
    "a service without pods": (
        lambda m: one(m, "Service", "valkey")["spec"]["selector"].update({"app.kubernetes.io/name": "redis"}),
        "service valkey has no pods",
    ),
    "a service to no port": (
        lambda m: one(m, "Service", "gateway")["spec"]["ports"][0].update(targetPort="web"),
        "leads to port web",
    ),
    "pods that are not found": (
        lambda m: _deployment(m, "tts")["spec"]["selector"]["matchLabels"].update(tier="x"),
        "does not find its own pods",
    ),
    "a ConfigMap that is none": (
        lambda m: _container(m, "tts")["envFrom"][0]["configMapRef"].update(name="dialtone"),
        "no ConfigMap dialtone",
    ),
    "a Secret that nobody makes": (
        lambda m: _variable(m, "tts", "NATS_PASSWORD")["valueFrom"]["secretKeyRef"].update(name="nats-tss"),
        "nobody makes the Secret nats-tss",
    ),
    "a volume that is none": (
        lambda m: _container(m, "tts")["volumeMounts"].append({"name": "cache", "mountPath": "/cache"}),
        "no volume cache",
    ),
    "a claim that is none": (
        lambda m: m.remove(of_kind(m, "PersistentVolumeClaim")[0]),
        "no claim for volume models",
    ),
    # scaling
    "down to nothing": (
        lambda m: one(m, "ScaledObject", "tts")["spec"].update(minReplicaCount=0),
        "down to nothing",
    ),
    "less than at least": (
        lambda m: one(m, "ScaledObject", "tts")["spec"].update(maxReplicaCount=1),
        "down to nothing",
    ),
    "no fallback": (lambda m: one(m, "ScaledObject", "tts")["spec"].pop("fallback"), "scales on no data"),
    "a fallback to fewer": (
        lambda m: one(m, "ScaledObject", "gateway")["spec"]["fallback"].update(behavior="static"),
        "scales on no data",
    ),
    "a count beside the scaler": (lambda m: _deployment(m, "tts")["spec"].update(replicas=2), "every apply"),
    "a scaler of nothing": (
        lambda m: one(m, "ScaledObject", "tts")["spec"]["scaleTargetRef"].update(name="tss"),
        "scales nothing",
    ),
    "pods taken at once": (
        lambda m: one(m, "ScaledObject", "tts")["spec"]["advanced"]["horizontalPodAutoscalerConfig"][
            "behavior"
        ]["scaleDown"].update(stabilizationWindowSeconds=0),
        "as soon as there is a pause",
    ),
    "another's queue": (
        lambda m: _trigger(m, "tts")["metadata"].update(consumer="llm-default"),
        "its own queue",
    ),
    "an account that is none": (
        lambda m: _trigger(m, "tts")["metadata"].update(account="$G"),
        "has no account",
    ),
    "a load balancer in between": (
        lambda m: (
            one(m, "Service", "nats")["spec"].pop("clusterIP")
            and one(m, "Service", "nats")["spec"].update(clusterIP="")
        ),
        "asks one server for all",
    ),
    "more work than slots": (
        lambda m: _trigger(m, "llm")["metadata"].update(lagThreshold="8"),
        "8 of 4 slots",
    ),
    "fewer slots": (lambda m: _variable(m, "vad-asr", "EARS_SLOTS").update(value="8"), "14 of 8 slots"),
    "a trigger's member that is none": (
        lambda m: _trigger(m, "llm")["metadata"].update(threshold="3"),
        "does not know ['threshold']",
    ),
    "a metric that is none": (
        lambda m: _trigger(m, "gateway")["metadata"].update(query="sum(dialtone_gateway_calls_active)"),
        "nobody exports dialtone_gateway_calls_active",
    ),
    "no data as no calls": (
        lambda m: _trigger(m, "gateway")["metadata"].pop("ignoreNullValues"),
        "reads as no calls",
    ),
    # reach
    "a scrape at no port": (
        lambda m: of_kind(m, "PodMonitor")[0]["spec"]["podMetricsEndpoints"][0].update(port="http-metrics"),
        "no port http-metrics",
    ),
    "a scrape that forgets": (
        lambda m: of_kind(m, "PodMonitor")[1]["spec"]["selector"]["matchExpressions"][0]["values"].remove(
            "tts"
        ),
        "scraped is",
    ),
    "metrics for all": (
        lambda m: of_kind(m, "HTTPRoute")[0]["spec"]["rules"][0]["matches"][0]["path"].update(value="/"),
        "the route shows /",
    ),
    "a monitor for all": (
        lambda m: one(m, "Service", "nats")["spec"].update(type="LoadBalancer"),
        "can be reached from outside",
    ),
    "another namespace": (
        lambda m: one(m, "Service", "gateway")["metadata"].update(namespace="default"),
        "another namespace",
    ),
}


def _mistaken(mistake: Mistake) -> list[Manifest]:
    manifests: list[Manifest] = json.loads(_right())
    mistake(manifests)
    assert json.dumps(manifests) != _right()
    return manifests


@cache
def _right() -> str:
    return json.dumps(overlay("production-moshi"))


@pytest.mark.parametrize("name", AGAINST_SCHEMAS)
def test_a_schema_finds(name: str) -> None:
    mistake, words = AGAINST_SCHEMAS[name]
    right = json.loads(_right())
    changed = [manifest for manifest in _mistaken(mistake) if manifest not in right]
    assert any(words in problem for manifest in changed for problem in schema_problems(manifest))


@pytest.mark.parametrize("name", AGAINST_POLICIES)
def test_a_policy_finds(name: str) -> None:
    mistake, words = AGAINST_POLICIES[name]
    manifests = _mistaken(mistake)
    found = [problem for policy in (*POD_POLICIES, *REFERENCE_POLICIES) for problem in policy(manifests)]
    assert any(words in problem for problem in found), found
