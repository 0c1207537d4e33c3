"""The Kubernetes manifests keep to the schemas, to our policies, and to what the code has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from tests.deploy.pod_policies import POD_POLICIES
from tests.deploy.reference_policies import REFERENCE_POLICIES
from tests.deploy.rendered import K8S, OVERLAYS, Manifest, made_of, of_kind, overlay, workloads
from tests.deploy.schema_check import schema_problems

Policy = Callable[[Sequence[Manifest]], Iterator[str]]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_is_what_kubernetes_and_its_operators_take(name: str) -> None:
    wrong = [
        f"{manifest['kind']} {manifest['metadata']['name']}: {problem}"
        for manifest in overlay(name)
        for problem in schema_problems(manifest)
    ]
    assert not wrong


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("policy", [*POD_POLICIES, *REFERENCE_POLICIES], ids=lambda policy: policy.__name__)
def test_an_overlay_keeps_the_policies(name: str, policy: Policy) -> None:
    assert list(policy(overlay(name))) == []


def test_a_name_stands_for_one_object() -> None:
    for name in OVERLAYS:
        names = [(found["kind"], found["metadata"]["name"]) for found in overlay(name)]
        assert len(names) == len(set(names))


def test_every_file_belongs_to_what_is_applied() -> None:
    for folder in (path.parent for path in K8S.rglob("kustomization.yaml")):
        said = yaml.safe_load((folder / "kustomization.yaml").read_text())
        used = {*said.get("resources", ()), *(patch.get("path") for patch in said.get("patches", ()))}
        used |= {file for made in said.get("configMapGenerator", ()) for file in made.get("files", ())}
        there = {str(path.relative_to(folder)) for path in folder.glob("*.*")} - {"kustomization.yaml"}
        assert there <= used, folder


@pytest.mark.parametrize(
    ("component", "gone"), [("nats", "nats"), ("redis", "valkey"), ("postgresql", "postgres")]
)
def test_a_server_of_ones_own_takes_the_place_of_that_here(component: str, gone: str, tmp_path: Path) -> None:
    manifests = made_of("../../base", [f"external-{component}"], f"{component}-{tmp_path.name}")
    left = {workload["metadata"]["name"] for workload in workloads(manifests)}
    assert left == {"gateway", "vad-asr", "llm", "tts", "nats", "valkey", "postgres"} - {gone}
    assert gone not in {found["metadata"]["name"] for found in of_kind(manifests, "Service")}
