"""Writes the dashboards and the rules to where Compose and Kubernetes take them from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deploy.monitoring.alerts import ALERTS
from deploy.monitoring.boards import BOARDS
from deploy.monitoring.grafana import to_json
from deploy.monitoring.rules import rule_file, rule_manifest

ROOT = Path(__file__).parents[2]
COMPONENT = ROOT / "deploy" / "k8s" / "components" / "monitoring"


def files() -> Iterator[tuple[Path, str]]:
    """Each file and what belongs into it."""
    for board in BOARDS:
        yield COMPONENT / "dashboards" / f"{board.uid.removeprefix('dialtone-')}.json", to_json(board)
    yield COMPONENT / "rules.yaml", rule_manifest(ALERTS)
    yield ROOT / "deploy" / "compose" / "rules.yml", rule_file(ALERTS)


if __name__ == "__main__":
    for path, text in files():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
