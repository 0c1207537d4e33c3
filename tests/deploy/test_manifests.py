"""The Kubernetes manifests: what the schemas say of them, and what they say of each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
BASE = ROOT / "deploy" / "k8s" / "base"
FOLDERS = sorted(path.parent for path in BASE.glob("*/kustomization.yaml"))
KUBERNETES = "1.33"
NAME = "app.kubernetes.io/name"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def pod_of(folder: Path) -> Any:
    return read(folder / "workload.yaml")["spec"]["template"]


def container_of(folder: Path) -> Any:
    (container,) = pod_of(folder)["spec"]["containers"]
    return container


@pytest.mark.parametrize("path", sorted(BASE.glob("*/[!k]*.yaml")), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_manifest_is_what_kubernetes_takes(path: Path) -> None:
    kubernetes_validate.validate(read(path), KUBERNETES, strict=True)


def test_a_member_that_kubernetes_does_not_know_is_found() -> None:
    manifest = read(FOLDERS[0] / "workload.yaml")
    manifest["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_every_manifest_belongs_to_what_is_applied() -> None:
    assert sorted(read(BASE / "kustomization.yaml")["resources"]) == [folder.name for folder in FOLDERS]
    for folder in FOLDERS:
        files = sorted(path.name for path in folder.iterdir() if path.name != "kustomization.yaml")
        assert sorted(read(folder / "kustomization.yaml")["resources"]) == files


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_service_finds_its_pods_and_their_ports(folder: Path) -> None:
    service, pod = read(folder / "service.yaml")["spec"], pod_of(folder)
    assert service["selector"] == {NAME: folder.name} == pod["metadata"]["labels"]
    assert read(folder / "workload.yaml")["spec"]["selector"]["matchLabels"] == service["selector"]
    ports = {port["name"]: port["containerPort"] for port in container_of(folder)["ports"]}
    for port in service["ports"]:
        assert ports[port["targetPort"]] == port["port"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_pod_is_probed_bounded_and_without_privileges(folder: Path) -> None:
    container, pod = container_of(folder), pod_of(folder)["spec"]
    assert container["readinessProbe"]
    assert container["livenessProbe"]
    assert container["resources"]["limits"]["memory"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_image_is_the_one_that_compose_runs(folder: Path) -> None:
    image = container_of(folder)["image"]
    assert image == read(ROOT / "docker-compose.yml")["services"][folder.name]["image"]
    assert ":" in image
    assert not image.endswith(":latest")


def test_no_password_stands_in_a_manifest() -> None:
    password = next(e for e in container_of(BASE / "postgres")["env"] if e["name"] == "POSTGRES_PASSWORD")
    assert "value" not in password
    assert password["valueFrom"]["secretKeyRef"]
