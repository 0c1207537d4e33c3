"""What kustomize makes of an overlay, and how to find one's way in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = sorted(path.parent.name for path in K8S.glob("overlays/*/kustomization.yaml"))
SERVICES = ("gateway", "vad-asr", "llm", "tts")
MOSHI = "moshi"
"""A service that some overlays have."""
NAME = "app.kubernetes.io/name"
Manifest = dict[str, Any]


class Broken(Exception):
    """kustomize does not take it; the text is what it says."""


def kustomize(folder: Path) -> list[Manifest]:
    """Every object that `kubectl apply -k folder` would apply. Raises Broken."""
    kubectl = Path(sys.executable).with_name("kubectl")
    done = subprocess.run(
        [str(kubectl), "kustomize", str(folder)], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise Broken(done.stderr)
    return list(yaml.load_all(done.stdout, yaml.CSafeLoader))


@cache
def overlay(name: str) -> tuple[Manifest, ...]:
    """The objects of an overlay; not to be changed."""
    return tuple(kustomize(K8S / "overlays" / name))


def made_of(resource: str, components: Sequence[str], name: str) -> list[Manifest]:
    """The objects of an overlay of its own: `resource` and these components. Raises Broken."""
    # Beside the others, because kustomize takes no absolute paths.
    folder = K8S / "overlays" / f".test-{name}"
    folder.mkdir()
    kustomization = folder / "kustomization.yaml"
    kustomization.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "namespace": "dialtone",
                "resources": [resource],
                "components": [f"../../components/{component}" for component in components],
                "labels": [{"pairs": {"app.kubernetes.io/part-of": "dialtone"}}],
            }
        )
    )
    try:
        return kustomize(folder)
    finally:
        kustomization.unlink()
        folder.rmdir()


def of_kind(manifests: Sequence[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def one(manifests: Sequence[Manifest], kind: str, name: str) -> Manifest:
    """The one object of a kind with this name, or with this name and a hash."""
    (found,) = (
        manifest
        for manifest in of_kind(manifests, kind)
        if manifest["metadata"]["name"] == name or manifest["metadata"]["name"].rpartition("-")[0] == name
    )
    return found


def services(manifests: Sequence[Manifest]) -> tuple[str, ...]:
    """The services of ours that are to be among these."""
    there = {found["metadata"]["name"] for found in of_kind(manifests, "Deployment")}
    return (*SERVICES, MOSHI) if MOSHI in there else SERVICES


def workloads(manifests: Sequence[Manifest]) -> list[Manifest]:
    """What runs pods."""
    return of_kind(manifests, "Deployment", "StatefulSet", "Job")


def pod_of(workload: Manifest) -> Manifest:
    """The pod's own spec."""
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def containers_of(workload: Manifest) -> list[Manifest]:
    """All containers, those that run before the others included."""
    pod = pod_of(workload)
    return [*pod.get("initContainers", ()), *pod["containers"]]


def environment(manifests: Sequence[Manifest], container: Manifest, pod: str = "pod-0") -> dict[str, str]:
    """A container's variables. One that comes from a Secret has the value `secret:NAME/KEY`."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        found |= one(manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container.get("env", ()):
        source = variable.get("valueFrom", {})
        if "secretKeyRef" in source:
            found[variable["name"]] = "secret:{name}/{key}".format(**source["secretKeyRef"])
        elif "fieldRef" in source:
            found[variable["name"]] = pod
        else:
            found[variable["name"]] = variable["value"]
    return found
