"""The alerts, run over figures by Prometheus' own tool: each speaks when it has to, and then alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring.alerts import ALERTS, RUNBOOK, Alert
from deploy.monitoring.rules import rule_file
from tests.monitoring.alert_cases import CASES, STEP, Case

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
SEVERITY = {alert.name: alert.severity for alert in ALERTS}


def _as_test(case: Case) -> dict[str, Any]:
    firing = {
        "exp_labels": {"severity": SEVERITY[case.alert], **case.labels},
        "exp_annotations": {"summary": case.summary, "runbook": f"{RUNBOOK}#{case.alert.lower()}"},
    }
    return {
        "name": f"{case.alert}: {case.why}",
        "interval": case.every,
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [
            {"eval_time": case.at, "alertname": case.alert, "exp_alerts": [firing] if case.summary else []}
        ],
    }


def run(folder: Path, alerts: Sequence[Alert], cases: Sequence[Case]) -> subprocess.CompletedProcess[str]:
    """Have promtool run the cases over these alerts."""
    (folder / "rules.yml").write_text(rule_file(alerts))
    tests = {"rule_files": ["rules.yml"], "evaluation_interval": STEP, "tests": [*map(_as_test, cases)]}
    (folder / "tests.yml").write_text(yaml.safe_dump(tests, sort_keys=False))
    return subprocess.run(
        ["promtool", "test", "rules", "tests.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    for speaks in (True, False):
        assert {case.alert for case in CASES if bool(case.summary) is speaks} == set(SEVERITY)


@needs_promtool
def test_alerts_fire_when_they_have_to_and_only_then(tmp_path: Path) -> None:
    done = run(tmp_path, ALERTS, CASES)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("expr", ["vector(1) > 2", "vector(1)"], ids=["none fires", "all fire"])
def test_alerts_that_do_otherwise_are_found(expr: str, tmp_path: Path) -> None:
    done = run(tmp_path, [replace(alert, expr=expr, for_="0m") for alert in ALERTS], CASES)
    assert done.returncode == 1
    assert set(re.findall(r"alertname: *(\w+)", done.stdout + done.stderr)) == set(SEVERITY)
