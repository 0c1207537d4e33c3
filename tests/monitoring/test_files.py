"""What Grafana and Prometheus read is what the code says, and every alert can be acted upon."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.monitoring.__main__ import ROOT, files
from deploy.monitoring.alerts import ALERTS, RUNBOOK


@pytest.mark.parametrize(("path", "text"), [pytest.param(*one, id=one[0].name) for one in files()])
def test_the_files_are_those_of_the_code(path: Path, text: str) -> None:
    assert path.read_text() == text, "run make monitoring"


def test_dashboards_have_panels_with_distinct_places() -> None:
    for path, text in files():
        if path.suffix != ".json":
            continue
        panels = json.loads(text)["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels) > 4
        places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
        assert len(places) == len(panels)


def test_every_alert_has_its_part_of_the_runbook() -> None:
    headings = re.findall(r"^#+ (Dialtone\w+)$", (ROOT / RUNBOOK).read_text(), re.MULTILINE)
    assert headings == [alert.name for alert in ALERTS]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(("kind", "name"), [("rules", "rules.yml"), ("config", "prometheus.yml")])
def test_prometheus_takes_what_compose_gives_it(kind: str, name: str) -> None:
    done = subprocess.run(
        ["promtool", "check", kind, str(ROOT / "deploy" / "compose" / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
