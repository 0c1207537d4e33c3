"""What scaling must not do: take no data for no load, forget a stage, take pods faster than they drain.

Source: keda.sh/docs/2.20, reference/scaledobject-spec (fallback, metricType, scalingModifiers) and
scalers/prometheus (ignoreNullValues).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dialtone.bus.subjects import stream_name
from tests.deploy.reference_policies import STAGES
from tests.deploy.rendered import Manifest, of_kind, pod_of, services

_UNKNOWN_S = 60.0
"""In which a load that is not known is answered by the fallback."""


def every_stage_is_scaled(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Where anything is scaled, everything is: gateways, and each stage by its own queue."""
    scaled = of_kind(manifests, "ScaledObject")
    if not scaled:
        return
    names = [found["spec"]["scaleTargetRef"]["name"] for found in scaled]
    for name in services(manifests):
        if names.count(name) != 1:
            yield f"{name} is scaled {names.count(name)} times"
    queues = [trigger["metadata"].get("stream") for found in scaled for trigger in found["spec"]["triggers"]]
    for name, stage in STAGES.items():
        wanted = 1 if name in services(manifests) else 0
        if queues.count(stream_name(stage)) != wanted:
            yield f"{queues.count(stream_name(stage))} scale by the queue of {stage}"


def no_data_is_not_zero(manifests: Sequence[Manifest]) -> Iterator[str]:
    """Without a word of the load there stay as many pods as there are, soon not fewer than a few."""
    for found in of_kind(manifests, "ScaledObject"):
        name, spec = found["metadata"]["name"], found["spec"]
        fallback = spec.get("fallback", {})
        least = fallback.get("replicas", 0)
        if not spec["minReplicaCount"] <= least <= spec["maxReplicaCount"]:
            yield f"{name} falls back to {least} pods"
        # The count of failures has to pass the threshold.
        if (fallback.get("failureThreshold", 0) + 1) * spec.get("pollingInterval", 30) > _UNKNOWN_S:
            yield f"{name} is without a fallback for more than {_UNKNOWN_S:.0f} s"
        if "scalingModifiers" in spec["advanced"]:
            yield f"{name}: a formula may make a number of nothing"
        for trigger in spec["triggers"]:
            query = trigger["metadata"].get("query", "")
            if any(word in query for word in (" or ", "vector(", "absent")):
                yield f"{name}: the query answers without data"
            if trigger["type"] == "prometheus":
                if trigger["metadata"].get("ignoreNullValues") != "false":
                    yield f"{name}: an empty answer is a zero"
                if "last_over_time(" not in query:
                    yield f"{name}: a pod that is not scraped for a moment is one without load"
            if trigger["metadata"].get("activationLagThreshold", "0") != "0":
                yield f"{name}: a little load is taken for none"
            if trigger.get("metricType", "AverageValue") != "AverageValue":
                yield f"{name}: the threshold is not that of a pod"
            if trigger.get("useCachedMetrics"):
                yield f"{name} looks at a load of long ago"


def one_leaves_after_another(manifests: Sequence[Manifest]) -> Iterator[str]:
    """A pod is taken when the one before it is gone, with its legs handed over; up goes as fast as it can."""
    pods = {found["metadata"]["name"]: pod_of(found) for found in of_kind(manifests, "Deployment")}
    for found in of_kind(manifests, "ScaledObject"):
        name, spec = found["metadata"]["name"], found["spec"]
        grace_s = pods.get(spec["scaleTargetRef"]["name"], {}).get("terminationGracePeriodSeconds", 0)
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        down, up = behavior["scaleDown"], behavior["scaleUp"]
        for policy in down["policies"]:
            one = (policy["type"], policy["value"]) == ("Pods", 1)
            if not one or policy["periodSeconds"] < grace_s:
                yield f"{name}: pods are taken while others still hand over"
        if len(down["policies"]) != 1:
            yield f"{name}: the fastest of several ways down counts"
        if up["stabilizationWindowSeconds"] or not any(
            policy["type"] == "Percent" and policy["value"] >= 100 and policy["periodSeconds"] <= 15
            for policy in up["policies"]
        ):
            yield f"{name} does not double as fast as it could"


SCALING_POLICIES = (every_stage_is_scaled, no_data_is_not_zero, one_leaves_after_another)
