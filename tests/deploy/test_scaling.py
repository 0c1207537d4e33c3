"""Scaling forgets no stage, takes no silence for no load, and leaves calls the time to go elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.deploy.rendered import MOSHI, OVERLAYS, SERVICES, Manifest, of_kind, one, overlay, pod_of
from tests.deploy.scaling_policies import SCALING_POLICIES

Mistake = Callable[[list[Manifest]], Any]


def _spec(manifests: list[Manifest], name: str) -> Manifest:
    spec: Manifest = one(manifests, "ScaledObject", name)["spec"]
    return spec


def _trigger(manifests: list[Manifest], name: str) -> Manifest:
    trigger: Manifest = _spec(manifests, name)["triggers"][0]
    return trigger


def _way(manifests: list[Manifest], name: str, way: str) -> Manifest:
    found: Manifest = _spec(manifests, name)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"][way]
    return found


MISTAKES: dict[str, tuple[Mistake, str]] = {
    "a stage that is forgotten": (
        lambda m: m.remove(one(m, "ScaledObject", "tts")),
        "0 scale by the queue of tts",
    ),
    "Moshi that is forgotten": (
        lambda m: m.remove(one(m, "ScaledObject", "moshi")),
        "0 scale by the queue of moshi",
    ),
    "two scalers of one": (
        lambda m: _spec(m, "tts")["scaleTargetRef"].update(name="llm"),
        "llm is scaled 2 times",
    ),
    "a stage by another's queue": (
        lambda m: _trigger(m, "tts")["metadata"].update(stream="WORK_LLM"),
        "2 scale by the queue of llm",
    ),
    "a fallback to one pod": (
        lambda m: _spec(m, "llm")["fallback"].update(replicas=1),
        "llm falls back to 1 pods",
    ),
    "a fallback beyond the most": (
        lambda m: _spec(m, "llm")["fallback"].update(replicas=21),
        "llm falls back to 21 pods",
    ),
    "a fallback after minutes": (
        lambda m: _spec(m, "vad-asr")["fallback"].update(failureThreshold=30),
        "vad-asr is without a fallback",
    ),
    "a signal that is seldom asked for": (
        lambda m: _spec(m, "gateway").pop("pollingInterval"),
        "gateway is without a fallback",
    ),
    "a formula": (
        lambda m: _spec(m, "tts")["advanced"].update(scalingModifiers={"formula": "x ?? 0", "target": "3"}),
        "make a number of nothing",
    ),
    "zero where there is no data": (
        lambda m: _trigger(m, "gateway")["metadata"].update(
            query="sum(dialtone_gateway_active_calls) or vector(0)"
        ),
        "answers without data",
    ),
    "an empty answer as zero": (
        lambda m: _trigger(m, "gateway")["metadata"].update(ignoreNullValues="true"),
        "an empty answer is a zero",
    ),
    "a part of the data as all of it": (
        lambda m: _trigger(m, "gateway")["metadata"].update(query="sum(dialtone_gateway_active_calls)"),
        "not scraped for a moment",
    ),
    "a little as nothing": (
        lambda m: _trigger(m, "llm")["metadata"].update(activationLagThreshold="5"),
        "taken for none",
    ),
    "the threshold of all pods": (
        lambda m: _trigger(m, "llm").update(metricType="Value"),
        "not that of a pod",
    ),
    "an old load": (lambda m: _trigger(m, "llm").update(useCachedMetrics=True), "a load of long ago"),
    "two pods at once": (
        lambda m: _way(m, "vad-asr", "scaleDown")["policies"][0].update(value=2),
        "vad-asr: pods are taken while",
    ),
    "half of the pods at once": (
        lambda m: _way(m, "tts", "scaleDown")["policies"][0].update(type="Percent", value=50),
        "tts: pods are taken while",
    ),
    "the next before one is gone": (
        lambda m: _way(m, "gateway", "scaleDown")["policies"][0].update(periodSeconds=60),
        "gateway: pods are taken while",
    ),
    "a longer drain than the way down knows": (
        lambda m: pod_of(one(m, "Deployment", "llm")).update(terminationGracePeriodSeconds=90),
        "llm: pods are taken while",
    ),
    "a second way down": (
        lambda m: _way(m, "llm", "scaleDown")["policies"].append(
            {"type": "Pods", "value": 1, "periodSeconds": 60}
        ),
        "the fastest of several",
    ),
    "up at leisure": (
        lambda m: _way(m, "vad-asr", "scaleUp").update(stabilizationWindowSeconds=60),
        "vad-asr does not double",
    ),
}


def _problems(manifests: list[Manifest]) -> list[str]:
    return [problem for policy in SCALING_POLICIES for problem in policy(manifests)]


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_scales_as_it_should(name: str) -> None:
    assert _problems(list(overlay(name))) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found(name: str) -> None:
    mistake, words = MISTAKES[name]
    manifests: list[Manifest] = json.loads(json.dumps(overlay("production-moshi")))
    mistake(manifests)
    assert any(words in problem for problem in _problems(manifests)), _problems(manifests)


def test_production_is_scaled_and_a_laptop_is_not() -> None:
    names = {
        overlay_name: {found["metadata"]["name"] for found in of_kind(overlay(overlay_name), "ScaledObject")}
        for overlay_name in OVERLAYS
    }
    assert names == {
        "laptop": set(),
        "production": set(SERVICES),
        "production-gpu": set(SERVICES),
        "production-moshi": {*SERVICES, MOSHI},
    }


def test_the_query_for_gateways_is_one() -> None:
    promql_parser.parse(_trigger(list(overlay("production")), "gateway")["metadata"]["query"])


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_a_gateway_that_is_not_scraped_counts_with_its_last_word_for_a_while(tmp_path: Path) -> None:
    """The second of two falls silent after a minute: its series ends, as it does when a scrape fails."""
    query = _trigger(list(overlay("production")), "gateway")["metadata"]["query"]
    name = "dialtone_gateway_active_calls"
    seen = {
        f'{name}{{namespace="dialtone",pod="a"}}': "5x20",
        f'{name}{{namespace="dialtone",pod="b"}}': "10 10 stale",
    }

    def answered(at: str, *values: int) -> dict[str, Any]:
        samples = [{"labels": "{}", "value": value} for value in values]
        return {"expr": query, "eval_time": at, "exp_samples": samples}

    expected = [answered("4m", 15), answered("8m", 5), answered("40m")]
    cases = {
        "rule_files": [],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": series, "values": values} for series, values in seen.items()],
                "promql_expr_test": expected,
            }
        ],
    }
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(cases))
    done = subprocess.run(
        ["promtool", "test", "rules", "tests.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
