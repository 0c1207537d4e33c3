"""What manifests say of each other and of the code: names, ports, settings, queues, metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from pydantic import ValidationError

from dialtone.bus import Stage
from dialtone.bus.subjects import consumer_name, stream_name
from dialtone.gateway.settings import GatewaySettings
from dialtone.llm.moshi.settings import MoshiSettings
from dialtone.llm.settings import LlmSettings
from dialtone.settings import ServiceSettings
from dialtone.tts.engines.entry import VendorVoice
from dialtone.tts.settings import TtsSettings
from dialtone.vad_asr.settings import EarsSettings
from tests.deploy.cluster_secrets import make_secrets
from tests.deploy.rendered import (
    K8S,
    MOSHI,
    NAME,
    ROOT,
    Manifest,
    containers_of,
    environment,
    of_kind,
    pod_of,
    services,
    workloads,
)
from tests.deploy.schema_check import triggers

SETTINGS: dict[str, type[ServiceSettings]] = {
    "gateway": GatewaySettings,
    "vad-asr": EarsSettings,
    "llm": LlmSettings,
    "tts": TtsSettings,
    "moshi": MoshiSettings,
}
POOLS = {"moshi": "sft"}
STAGES = {"vad-asr": Stage.ASR, "llm": Stage.LLM, "tts": Stage.TTS, "moshi": Stage.MOSHI}
SLOTS = {
    "vad-asr": "ears_slots",
    "llm": "llm_slots",
    "tts": "tts_slots",
    "gateway": "max_calls",
    "moshi": "moshi_slots",
}
NOT_OURS = {  # of libraries
    "PGSSLROOTCERT",
    "HF_HUB_OFFLINE",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
}
_METRIC = re.compile(r"\bdialtone_\w+")
_DEFINED = re.compile(r'(Counter|Gauge|Histogram)\(\s*"(dialtone_\w+)"')


def settings_exist(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Every variable is one that the service reads, and it takes their values."""
    for workload in of_kind(manifests, "Deployment"):
        name = workload["metadata"]["name"]
        if name not in SETTINGS:
            continue
        (container,) = pod_of(workload)["containers"]
        variables = environment(manifests, container)
        taken = settings_of(name, variables)
        fields = {field.upper() for field in SETTINGS[name].model_fields} | keys_of_entries(taken)
        everybodys = {field.upper() for kind in SETTINGS.values() for field in kind.model_fields}
        for variable in variables.keys() - NOT_OURS:
            own = variable in {found["name"] for found in container["env"]}
            if variable not in (fields if own else everybodys):
                yield f"{name}: no setting {variable}"
        for key in keys_of_entries(taken) - variables.keys():
            yield f"{name}: no {key}, which an entry names"
        if isinstance(taken, ValidationError):
            yield f"{name} does not take its settings: {taken}"


def keys_of_entries(taken: ServiceSettings | ValidationError) -> set[str]:
    """The variables that voices of vendors name for their keys."""
    voices = taken.tts_voices.values() if isinstance(taken, TtsSettings) else ()
    return {voice.api_key_env for voice in voices if isinstance(voice, VendorVoice) and voice.api_key_env}


def settings_of(service: str, variables: dict[str, str]) -> ServiceSettings | ValidationError:
    """The service's settings under these variables, with stand-ins for the Secrets'; or what is wrong."""
    stand_ins = {
        "secret:gateway-stores/redis-url": "rediss://valkey:6379/0",
        "secret:gateway-stores/database-url": "postgresql+asyncpg://postgres/dialtone?ssl=verify-full",
    }
    values = {name.lower(): stand_ins.get(value, value) for name, value in variables.items()}
    if values.pop("api_keys_file", ""):  # there in a pod alone
        values["api_keys"] = "default:0123456789abcdef"
    try:
        return SETTINGS[service].model_validate(values)
    except ValidationError as wrong:
        return wrong


def what_is_offered_is_served(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Gateways offer the variants of Moshi that workers serve, and no others."""
    deployed = {found["metadata"]["name"]: found for found in of_kind(manifests, "Deployment")}

    def told(service: str, variable: str) -> str:
        if service not in deployed:
            return ""
        (container,) = pod_of(deployed[service])["containers"]
        return environment(manifests, container).get(variable, "")

    offered, served = told("gateway", "MOSHI_VARIANTS"), told(MOSHI, "MOSHI_VARIANT")
    if offered != served:
        yield f"gateways offer Moshi's variants {offered!r}, workers serve {served!r}"


def ports_are_those_of_the_process(manifests: Sequence[Manifest]) -> Iterator[str]:
    for workload in of_kind(manifests, "Deployment"):
        name = workload["metadata"]["name"]
        if name not in SETTINGS:
            continue
        (container,) = pod_of(workload)["containers"]
        ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
        variables = environment(manifests, container)
        if ports.get("http") != variables.get("HTTP_PORT") or ports.get("metrics") != variables.get(
            "METRICS_PORT"
        ):
            yield f"{name} does not listen where its ports say"


def services_find_their_pods(manifests: Sequence[Manifest]) -> Iterator[str]:
    for service in of_kind(manifests, "Service"):
        name = service["metadata"]["name"]
        pods = list(_selected(manifests, {"matchLabels": service["spec"]["selector"]}))
        if not pods:
            yield f"service {name} has no pods"
        for pod in pods:
            for port in service["spec"]["ports"]:
                if port["targetPort"] not in _port_names(pod):
                    yield f"service {name} leads to port {port['targetPort']}, which is none"
    for workload in workloads(manifests):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        selector = workload["spec"].get("selector", {}).get("matchLabels", {})
        if not selector.items() <= labels.items():
            yield f"{workload['metadata']['name']} does not find its own pods"


def references_lead_somewhere(manifests: Sequence[Manifest]) -> Iterator[str]:
    """ConfigMaps and claims are among the manifests, Secrets among those that secrets.sh makes."""
    maps = {found["metadata"]["name"]: found["data"] for found in of_kind(manifests, "ConfigMap")}
    claims = {found["metadata"]["name"] for found in of_kind(manifests, "PersistentVolumeClaim")}
    for workload in workloads(manifests):
        name, pod = workload["metadata"]["name"], pod_of(workload)
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        own = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", ())}
        for volume in volumes.values():
            if volume.get("configMap", {}).get("name", "") not in {"", *maps}:
                yield f"{name}: no ConfigMap for volume {volume['name']}"
            if volume.get("persistentVolumeClaim", {}).get("claimName", "") not in {"", *claims}:
                yield f"{name}: no claim for volume {volume['name']}"
            if volume.get("secret", {}).get("secretName", "") not in {"", *make_secrets().values}:
                yield f"{name}: nobody makes the Secret of volume {volume['name']}"
        for container in containers_of(workload):
            for mount in container.get("volumeMounts", ()):
                if mount["name"] not in volumes.keys() | own:
                    yield f"{name}: no volume {mount['name']}"
            for source in container.get("envFrom", ()):
                if source["configMapRef"]["name"] not in maps:
                    yield f"{name}: no ConfigMap {source['configMapRef']['name']}"
            for variable in container.get("env", ()):
                secret = variable.get("valueFrom", {}).get("secretKeyRef", {})
                if secret and not secret.get("optional") and secret["name"] not in make_secrets().values:
                    yield f"{name}: nobody makes the Secret {secret['name']}"


def scaled_by_what_is_there(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Scaling fails closed, asks for queues and metrics that exist, and knows how much a pod takes."""
    targets = {found["metadata"]["name"]: found for found in of_kind(manifests, "Deployment")}
    nats = next((s for s in of_kind(manifests, "Service") if s["metadata"]["name"] == "nats"), None)
    for scaled in of_kind(manifests, "ScaledObject"):
        name, spec = scaled["metadata"]["name"], scaled["spec"]
        target = targets.get(spec["scaleTargetRef"]["name"])
        if target is None:
            yield f"{name} scales nothing"
            continue
        if "replicas" in target["spec"]:
            yield f"{name} is scaled, and every apply sets its number of pods"
        if not 2 <= spec.get("minReplicaCount", 0) <= spec["maxReplicaCount"] or "idleReplicaCount" in spec:
            yield f"{name} may go down to nothing"
        if spec.get("fallback", {}).get("behavior") != "currentReplicasIfHigher":
            yield f"{name} scales on no data"
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        if behavior["scaleDown"]["stabilizationWindowSeconds"] < 300:
            yield f"{name} takes pods away as soon as there is a pause"
        (container,) = pod_of(target)["containers"]
        slots = getattr(settings_of(name, environment(manifests, container)), SLOTS[name], 0)
        for trigger in spec["triggers"]:
            yield from _trigger_problems(name, trigger, slots)
            endpoint = trigger["metadata"].get("natsServerMonitoringEndpoint", "")
            if (
                endpoint
                and nats
                and (
                    nats["spec"]["clusterIP"] != "None"
                    or endpoint != f"nats.{nats['metadata']['namespace']}.svc.cluster.local:8222"
                )
            ):
                yield f"{name} asks one server for all"


def _trigger_problems(name: str, trigger: Manifest, slots: int) -> Iterator[str]:
    kind, metadata = trigger["type"], trigger["metadata"]
    known = triggers().get(kind, {})
    if not metadata.keys() <= known.keys():
        yield f"{name}: {kind} does not know {sorted(metadata.keys() - known.keys())}"
    if missing := {key for key, needed in known.items() if needed} - metadata.keys():
        yield f"{name}: {kind} needs {sorted(missing)}"
    if not all(isinstance(value, str) for value in metadata.values()):
        yield f"{name}: {kind} takes text alone"
    threshold = float(metadata.get("lagThreshold") or metadata.get("threshold") or 0)
    if not slots * 0.5 <= threshold <= slots * 0.8:
        yield f"{name}: {threshold:g} of {slots} slots"
    if kind == "prometheus":
        if metadata.get("ignoreNullValues") != "false":
            yield f"{name}: no data reads as no calls"
        for metric in _METRIC.findall(metadata["query"]):
            if metric not in exported_metrics():
                yield f"{name}: nobody exports {metric}"
    elif name in STAGES:
        stage = STAGES[name]
        if (metadata.get("stream"), metadata.get("consumer")) != (
            stream_name(stage),
            consumer_name(stage, POOLS.get(name, "default")),
        ):
            yield f"{name} does not ask for its own queue"
        if f"  {metadata.get('account')} {{" not in (K8S / "base/nats/config/accounts.conf").read_text():
            yield f"{name}: the broker has no account {metadata.get('account')}"


def scraped_where_metrics_are(manifests: Sequence[Manifest]) -> Iterator[str]:
    seen: set[str] = set()
    for monitor in of_kind(manifests, "PodMonitor"):
        for pod in _selected(manifests, monitor["spec"]["selector"]):
            seen.add(pod["labels"][NAME])
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                if endpoint["port"] not in _port_names(pod):
                    yield f"{monitor['metadata']['name']}: no port {endpoint['port']}"
    if of_kind(manifests, "PodMonitor") and seen != set(services(manifests)):
        yield f"scraped is {sorted(seen)}"


def nothing_internal_is_public(manifests: Sequence[Manifest]) -> Iterator[str]:
    """A client reaches calls and sessions; not health, metrics or the broker's monitor."""
    for route in of_kind(manifests, "HTTPRoute"):
        for rule in route["spec"]["rules"]:
            for match in rule.get("matches", [{}]):
                if match.get("path", {}).get("value", "/") not in ("/v1", "/chat"):
                    yield f"the route shows {match.get('path', {}).get('value', '/')}"
    for service in of_kind(manifests, "Service"):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"service {service['metadata']['name']} can be reached from outside"
        if service["metadata"]["name"] == "gateway" and len(service["spec"]["ports"]) != 1:
            yield "the gateway's service has a port beside that of clients"


def kept_apart(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Everything is in the one namespace, as part of us."""
    for manifest in manifests:
        metadata = manifest["metadata"]
        if metadata.get("labels", {}).get("app.kubernetes.io/part-of") != "dialtone":
            yield f"{manifest['kind']} {metadata['name']} is nobody's"
        if manifest["kind"] not in ("Namespace", "PriorityClass") and metadata.get("namespace") != "dialtone":
            yield f"{manifest['kind']} {metadata['name']} is in another namespace"


@cache
def exported_metrics() -> frozenset[str]:
    """What the services' own metric modules define, as Prometheus shows it."""
    names = set()
    for path in (*ROOT.glob("libs/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py")):
        for kind, name in _DEFINED.findall(path.read_text()):
            base = name.removesuffix("_total")
            names |= {"Counter": {f"{base}_total"}, "Gauge": {name}}.get(
                kind, {f"{name}_{part}" for part in ("bucket", "count", "sum")}
            )
    return frozenset(names)


def _selected(manifests: Sequence[Manifest], selector: Manifest) -> Iterator[Manifest]:
    """The pod templates that a selector of labels takes."""
    for workload in workloads(manifests):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        if matches(selector, labels):
            yield {"labels": labels, "spec": pod_of(workload)}


def matches(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a selector takes these labels: `matchLabels`, and `In` of `matchExpressions`."""
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"]
        for expression in selector.get("matchExpressions", ())
    )


def _port_names(pod: Manifest) -> set[Any]:
    return {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}


REFERENCE_POLICIES = (
    settings_exist,
    what_is_offered_is_served,
    ports_are_those_of_the_process,
    services_find_their_pods,
    references_lead_somewhere,
    scaled_by_what_is_there,
    scraped_where_metrics_are,
    nothing_internal_is_public,
    kept_apart,
)
