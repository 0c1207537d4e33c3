"""What every pod of ours has to be, whatever it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.deploy.rendered import (
    MOSHI,
    NAME,
    Manifest,
    containers_of,
    environment,
    of_kind,
    pod_of,
    workloads,
)

# What a process may take after DRAIN_GRACE_S until it is gone (docs/operations.md, Stopping).
AFTER_GRACE_S = {"gateway": 15, "vad-asr": 5, "llm": 5, "tts": 5, "moshi": 5}
WORKLOADS = ("Deployment", "StatefulSet", "Job")


def without_privileges(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Pod Security Standard "restricted", and more: what is written is in volumes, no way to the API."""
    for namespace in of_kind(manifests, "Namespace"):
        if namespace["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
            yield "the namespace lets pods have privileges"
    for workload in workloads(manifests):
        pod, name = pod_of(workload), workload["metadata"]["name"]
        rights = pod.get("securityContext", {})
        if rights.get("runAsNonRoot") is not True or not rights.get("runAsUser"):
            yield f"{name} may run as root"
        if rights.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name} has no seccomp profile"
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{name} has a token of the API"
        if {"hostNetwork", "hostPID", "hostIPC"} & pod.keys() or any("hostPath" in v for v in pod["volumes"]):
            yield f"{name} reaches its node"
        for container in containers_of(workload):
            if container.get("securityContext") != {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }:
                yield f"{name}: {container['name']} has privileges"


def bounded(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Every container asks for what it needs and has a limit; so has every scratch volume."""
    for workload in workloads(manifests):
        name = workload["metadata"]["name"]
        for container in containers_of(workload):
            resources = container.get("resources", {})
            for kind in ("requests", "limits"):
                if not {"cpu", "memory"} <= resources.get(kind, {}).keys():
                    yield f"{name}: {container['name']} has no {kind}"
        for volume in pod_of(workload)["volumes"]:
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{name}: {volume['name']} may fill its node's disk"


def images_are_pinned(manifests: Sequence[Manifest]) -> Iterator[str]:
    for workload in workloads(manifests):
        for container in containers_of(workload):
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            if not tag or tag == "latest":
                yield f"{workload['metadata']['name']}: image {container['image']} is any"


def probed(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Every container says when it has begun, whether it takes work, and whether it lives."""
    for workload in of_kind(manifests, "Deployment", "StatefulSet"):
        name = workload["metadata"]["name"]
        for container in pod_of(workload)["containers"]:
            probes = {kind: container.get(f"{kind}Probe") for kind in ("startup", "readiness", "liveness")}
            for kind in probes:
                if not probes[kind]:
                    yield f"{name} has no {kind} probe"
            if name in AFTER_GRACE_S:
                paths = {kind: (probe or {}).get("httpGet", {}).get("path") for kind, probe in probes.items()}
                if paths != {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}:
                    yield f"{name} is asked for the wrong thing: {paths}"
            ports = {port["name"] for port in container["ports"]}
            for kind, probe in probes.items():
                port = {**(probe or {}).get("httpGet", {}), **(probe or {}).get("tcpSocket", {})}.get("port")
                if port is not None and port not in ports:
                    yield f"{name}: the {kind} probe asks at {port}, which is no port"


def drained(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Nothing is killed that still ends its calls, and no rollout stands still or takes all."""
    for workload in of_kind(manifests, "Deployment"):
        name, pod = workload["metadata"]["name"], pod_of(workload)
        if name in AFTER_GRACE_S:
            (container,) = pod["containers"]
            grace = float(environment(manifests, container)["DRAIN_GRACE_S"])
            pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
            if pod["terminationGracePeriodSeconds"] < grace + pause + AFTER_GRACE_S[name]:
                yield f"{name} is killed while it drains"
            rolling = workload["spec"]["strategy"]["rollingUpdate"]
            gpu = "nvidia.com/gpu" in container["resources"]["limits"]
            if rolling["maxUnavailable"] == rolling["maxSurge"] == 0:
                yield f"{name}: its rollout never begins"
            if gpu and rolling["maxSurge"]:
                yield f"{name}: its rollout waits for a GPU that nobody gives back"
            if not gpu and rolling["maxUnavailable"]:
                yield f"{name}: its rollout takes a pod before there is another"


def scheduled_well(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Spread over nodes, with a priority, and with a budget that neither keeps a node full nor empties it."""
    classes = {found["metadata"]["name"] for found in of_kind(manifests, "PriorityClass")}
    budgets = {
        found["spec"]["selector"]["matchLabels"][NAME]: found["spec"]
        for found in of_kind(manifests, "PodDisruptionBudget")
    }
    for workload in workloads(manifests):
        name, pod = workload["metadata"]["name"], pod_of(workload)
        if pod.get("priorityClassName") not in classes:
            yield f"{name} has no priority"
        if workload["kind"] == "Job":
            continue
        budget = budgets.get(workload["spec"]["selector"]["matchLabels"][NAME], {})
        if budget.get("maxUnavailable") != 1 or "minAvailable" in budget:
            yield f"{name} has no budget that lets a node be emptied pod by pod"
        spread = {c["topologyKey"]: c["labelSelector"] for c in pod.get("topologySpreadConstraints", ())}
        labels = workload["spec"]["template"]["metadata"]["labels"]
        if name not in ("valkey", "postgres") and (
            spread.keys() != {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
            or any(selector["matchLabels"][NAME] != labels[NAME] for selector in spread.values())
        ):
            yield f"{name} may stand on one node alone"


def on_a_gpu(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Who has a GPU is let onto its node and uses it; nobody else takes one."""
    for workload in workloads(manifests):
        pod, name = pod_of(workload), workload["metadata"]["name"]
        for container in pod["containers"]:
            has = "nvidia.com/gpu" in container["resources"].get("limits", {})
            variables = environment(manifests, container)
            cuda = "cuda" in (variables.get("ASR_DEVICE"), variables.get("MOSHI_DEVICE"))
            able = container["image"].endswith("-cuda") or name == MOSHI
            if has != cuda or has != able:
                yield f"{name}: a GPU, the setting that uses it and the image that can do not go together"
            if has and (
                not any(t.get("key") == "nvidia.com/gpu" for t in pod.get("tolerations", ()))
                or pod.get("runtimeClassName") != "nvidia"
            ):
                yield f"{name} is kept from the nodes that have a GPU"


def no_secret_in_clear(manifests: Sequence[Manifest]) -> Iterator[str]:
    if of_kind(manifests, "Secret"):
        yield "a Secret stands among the manifests"
    for workload in workloads(manifests):
        for container in containers_of(workload):
            for variable in container.get("env", ()):
                named = any(
                    word in variable["name"] for word in ("PASSWORD", "KEY", "TOKEN", "SECRET", "AUTH")
                )
                named = named and not variable["name"].endswith("_FILE")
                if (named or "://" in variable.get("value", "")) and "value" in variable:
                    yield f"{workload['metadata']['name']}: {variable['name']} stands there for all to read"


POD_POLICIES = (
    without_privileges,
    bounded,
    images_are_pinned,
    probed,
    drained,
    scheduled_well,
    on_a_gpu,
    no_secret_in_clear,
)
