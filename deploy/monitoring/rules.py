"""Alerts as Prometheus reads them, by itself and through its operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from deploy.monitoring.alerts import RUNBOOK, Alert


def rule_file(alerts: Sequence[Alert]) -> str:
    """For Prometheus' `rule_files`."""
    return yaml.safe_dump(_groups(alerts), sort_keys=False, width=110)


def rule_manifest(alerts: Sequence[Alert]) -> str:
    """For the Prometheus operator."""
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "dialtone"},
        "spec": _groups(alerts),
    }
    return yaml.safe_dump(manifest, sort_keys=False, width=110)


def _groups(alerts: Sequence[Alert]) -> dict[str, Any]:
    return {"groups": [{"name": "dialtone", "rules": [_rule(alert) for alert in alerts]}]}


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.for_,
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "runbook": f"{RUNBOOK}#{alert.name.lower()}"},
    }
