"""Options that no overlay of ours takes: traces to a collector, recordings of calls, vendors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dialtone.tts.settings import DEFAULT_VOICES, TtsSettings
from tests.deploy.network_edges import Edge, edges
from tests.deploy.pod_policies import POD_POLICIES
from tests.deploy.reference_policies import REFERENCE_POLICIES
from tests.deploy.rendered import (
    SERVICES,
    Manifest,
    containers_of,
    environment,
    made_of,
    of_kind,
    one,
    overlay,
    pod_of,
)
from tests.deploy.schema_check import schema_problems
from tests.deploy.test_network_policies import EXPECTED

OPTIONS = ("recording", "tracing")


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    return made_of("../production", OPTIONS, f"options-{tmp_path_factory.getbasetemp().name}")


def _variables(manifests: list[Manifest], name: str) -> dict[str, str]:
    (container,) = pod_of(one(manifests, "Deployment", name))["containers"]
    return environment(manifests, container)


def test_with_them_the_manifests_are_as_right_as_without(manifests: list[Manifest]) -> None:
    wrong = [problem for manifest in manifests for problem in schema_problems(manifest)]
    wrong += [p for policy in (*POD_POLICIES, *REFERENCE_POLICIES) for p in policy(manifests)]
    assert wrong == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_sends_traces_to_the_same_place(manifests: list[Manifest], name: str) -> None:
    told = _variables(manifests, name)
    assert told["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://otel-collector.monitoring.svc.cluster.local:4318"
    assert (told["OTEL_TRACES_SAMPLER"], told["OTEL_TRACES_SAMPLER_ARG"]) == ("traceidratio", "0.1")


def test_traces_and_nothing_else_get_out(manifests: list[Manifest]) -> None:
    assert edges(manifests) - EXPECTED == {Edge(name, "namespace/monitoring", "4318") for name in SERVICES}
    assert edges(manifests) >= EXPECTED


def test_without_network_policies_traces_close_no_way(tmp_path: Path) -> None:
    made = made_of("../laptop", ["tracing"], f"tracing-{tmp_path.name}")
    assert not of_kind(made, "NetworkPolicy")
    assert edges(made) == edges(overlay("laptop"))


@pytest.mark.parametrize(
    ("service", "variable", "keys"),
    [
        ("vad-asr", "ASR_DEFAULT_MODEL", {"DEEPGRAM_API_KEY", "ASR_OPENAI_API_KEY", "GEMINI_API_KEY"}),
        ("tts", "TTS_VOICES", {"MINIMAX_API_KEY", "OPENAI_API_KEY"}),
    ],
)
def test_vendors_are_reached_by_who_asks_them_alone_and_the_local_model_stays(
    tmp_path: Path, service: str, variable: str, keys: set[str]
) -> None:
    component = f"{service.removeprefix('vad-')}-vendors"
    made = made_of("../production", [component], f"{component}-{tmp_path.name}")
    wrong = [problem for manifest in made for problem in schema_problems(manifest)]
    assert wrong + [p for policy in (*POD_POLICIES, *REFERENCE_POLICIES) for p in policy(made)] == []
    assert edges(made) - EXPECTED == {Edge(service, "0.0.0.0/0", "443")}
    assert edges(made) >= EXPECTED
    told = _variables(made, service)
    assert keys <= told.keys()
    if service == "tts":
        voices = TtsSettings(tts_voices=json.loads(told[variable])).tts_voices
        line = voices["voice"]
        assert isinstance(line, tuple)
        *others, last = line
        assert others
        assert voices[last] == DEFAULT_VOICES[last]
    else:
        assert told[variable].endswith(",whisper")
    secret = f"secret:{component.removesuffix('vendors')}keys/"
    for other in SERVICES:
        shown = any(value.startswith(secret) for value in _variables(made, other).values())
        assert shown == (other == service)


def test_recognisers_and_voices_of_vendors_go_together(tmp_path: Path) -> None:
    made = made_of("../production", ["asr-vendors", "tts-vendors"], f"vendors-{tmp_path.name}")
    assert edges(made) - EXPECTED == {Edge(name, "0.0.0.0/0", "443") for name in ("vad-asr", "tts")}


def test_recordings_outlive_the_gateway_and_only_gateways_have_them(manifests: list[Manifest]) -> None:
    folder = _variables(manifests, "gateway")["RECORD_CALLS_DIR"]
    (container,) = pod_of(one(manifests, "Deployment", "gateway"))["containers"]
    (mount,) = (found for found in container["volumeMounts"] if found["mountPath"] == folder)
    assert not mount.get("readOnly")
    volumes = {found["name"]: found for found in pod_of(one(manifests, "Deployment", "gateway"))["volumes"]}
    assert volumes[mount["name"]]["persistentVolumeClaim"] == {"claimName": "recordings"}
    assert one(manifests, "PersistentVolumeClaim", "recordings")["spec"]["accessModes"] == ["ReadWriteMany"]
    for name in ("vad-asr", "llm", "tts"):
        assert "RECORD_CALLS_DIR" not in _variables(manifests, name)
        for other in containers_of(one(manifests, "Deployment", name)):
            assert "recordings" not in {found["name"] for found in other["volumeMounts"]}


def test_nobody_is_recorded_unless_asked_for() -> None:
    assert "RECORD_CALLS_DIR" not in _variables(list(overlay("production")), "gateway")
