"""docker-compose.yml: read by the real Compose, and true of the code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.reference_policies import NOT_OURS, SETTINGS
from tests.deploy.rendered import MOSHI, ROOT, SERVICES, overlay, pod_of, workloads

FILE = ROOT / "docker-compose.yml"
_NAMED_BY_ENTRIES = {
    "llm": {"DEEPSEEK_API_KEY", "DASHSCOPE_API_KEY"},
    "tts": {"MINIMAX_API_KEY", "OPENAI_API_KEY"},
}
"""Keys that are no settings of their own: entries of registries name them."""


def _read(*files: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    compose = str(Path(sys.executable).with_name("docker-compose"))
    return subprocess.run(
        [
            compose,
            "--project-directory",
            str(ROOT),
            *(word for file in files for word in ("--file", str(file))),
            "--profile",
            "*",
            "config",
            "--format",
            "json",
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@cache
def _services() -> dict[str, Any]:
    read = _read(FILE)
    assert read.returncode == 0, read.stderr
    services: dict[str, Any] = json.loads(read.stdout)["services"]
    return services


def test_all_of_the_system_is_there_and_what_watches_it_is_optional() -> None:
    watching = {name for name, service in _services().items() if service.get("profiles")}
    assert watching == {"prometheus", "grafana", "otel-collector", MOSHI}
    assert _services().keys() - watching == {*SERVICES, "models", "nats", "valkey", "postgres"}


@pytest.mark.parametrize("name", [*SERVICES, MOSHI])
def test_a_service_is_told_what_it_reads(name: str) -> None:
    fields = {field.upper() for field in SETTINGS[name].model_fields}
    everybodys = fields | {"STAGES"}  # of the models, which the gateway has none of
    told = _services()[name]["environment"]
    assert told.keys() <= everybodys | NOT_OURS | _NAMED_BY_ENTRIES.get(name, set())
    values = {key.lower(): value or "" for key, value in told.items()}
    if name == "gateway":
        values |= {"api_keys": "me:0123456789abcdef", "http_host": "0.0.0.0"}
    SETTINGS[name].model_validate(values)


@pytest.mark.parametrize(
    ("name", "variable"), [("vad-asr", "ASR_MODELS"), ("llm", "LLM_MODELS"), ("tts", "TTS_VOICES")]
)
def test_a_stage_is_given_the_table_of_its_backends(name: str, variable: str) -> None:
    read = _read(FILE, **{variable: '{"one": ["two"]}'})
    assert json.loads(read.stdout)["services"][name]["environment"][variable] == '{"one": ["two"]}'
    assert not _services()[name]["environment"][variable]


def test_everything_is_confined() -> None:
    for name, service in _services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "build" not in service or (ROOT / service["build"]["dockerfile"]).exists(), name


@pytest.mark.parametrize("name", ["nats", "valkey", "postgres"])
def test_a_server_runs_as_the_same_user_as_in_a_cluster(name: str) -> None:
    (server,) = (found for found in workloads(overlay("laptop")) if found["metadata"]["name"] == name)
    rights = pod_of(server)["securityContext"]
    assert _services()[name]["user"] == f"{rights['runAsUser']}:{rights['runAsGroup']}"


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, ""),
        ({"COMPOSE_PROFILES": "observability"}, "http://otel-collector:4318"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://elsewhere:4318"}, "http://elsewhere:4318"),
    ],
)
def test_traces_go_to_the_collector_that_is_there(variables: dict[str, str], told: str) -> None:
    read = _read(FILE, **variables)
    assert read.returncode == 0, read.stderr
    services = json.loads(read.stdout)["services"]
    for name in SERVICES:
        assert services[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == told
    config = yaml.safe_load((ROOT / "deploy/compose/otel-collector.yaml").read_text())
    assert config["receivers"]["otlp"]["protocols"]["http"]["endpoint"] == "0.0.0.0:4318"


def test_calls_are_recorded_only_where_that_was_asked_for() -> None:
    assert _services()["gateway"]["environment"]["RECORD_CALLS_DIR"] == ""
    read = _read(FILE, RECORD_CALLS="1")
    gateway = json.loads(read.stdout)["services"]["gateway"]
    folder = gateway["environment"]["RECORD_CALLS_DIR"]
    assert folder in {volume["target"] for volume in gateway["volumes"]}
    # A new volume has the rights of the image's folder, and no other user of the image reads it.
    recipe = (ROOT / gateway["build"]["dockerfile"]).read_text()
    assert f"--owner dialtone --group dialtone --mode 0700 {folder}" in recipe


def test_nothing_can_be_reached_from_another_machine() -> None:
    for name, service in _services().items():
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", name


def test_whoever_is_waited_for_says_when_he_is_ready() -> None:
    for service in _services().values():
        for name, need in service.get("depends_on", {}).items():
            if need["condition"] == "service_healthy":
                assert _services()[name]["healthcheck"]


def test_files_that_are_mounted_exist() -> None:
    for service in _services().values():
        for volume in service.get("volumes", ()):
            assert volume["type"] == "volume" or Path(volume["source"]).exists()


def test_prometheus_asks_where_metrics_are() -> None:
    config = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    asked = {job["job_name"]: job["dns_sd_configs"][0]["port"] for job in config["scrape_configs"]}
    assert asked == {"gateway": 9090, "vad-asr": 8080, "llm": 8080, "tts": 8080, MOSHI: 8080}
    for name, port in asked.items():
        assert (
            str(port)
            in (ROOT / f"deploy/images/{name}.Dockerfile").read_text().split("EXPOSE ")[1].split("\n")[0]
        )


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("nats: { condition", "natz: { condition", "natz"),
        ("    command:", "    comand:", "comand"),
        ("- prometheus:/prometheus", "- promtheus:/prometheus", "promtheus"),
    ],
)
def test_compose_finds_a_mistake(right: str, wrong: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yml"
    assert right in FILE.read_text()
    file.write_text(FILE.read_text().replace(right, wrong, 1))
    read = _read(file)
    assert read.returncode != 0
    assert words in read.stderr


def test_a_gpu_is_given_to_those_that_use_it() -> None:
    read = _read(FILE, ROOT / "docker-compose.gpu.yml")
    assert read.returncode == 0, read.stderr
    services = json.loads(read.stdout)["services"]
    with_gpu = {
        name for name, service in services.items() if "devices" in json.dumps(service.get("deploy", {}))
    }
    assert with_gpu == {"vad-asr", MOSHI}
    assert services[MOSHI]["environment"]["MOSHI_DEVICE"] == "cuda"
    ears = services["vad-asr"]
    assert ears["environment"]["ASR_DEVICE"] == "cuda"
    assert ears["image"].endswith("-cuda")
    assert (ROOT / "services/vad-asr" / ears["build"]["args"]["LOCK"]).exists()
