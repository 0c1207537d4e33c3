"""When somebody is to be woken, and when to be told. Each has its section in the runbook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RUNBOOK = "docs/runbook.md"
STAGES = ("asr", "llm", "tts")

_OURS = "gateway_full|service_unavailable"
"""Handshakes refused for reasons of our own."""
_LOST = "full|stopped|refused"
"""Writes that should have been carried out; others lost a race with another call, or with a DELETE."""


@dataclass(frozen=True, slots=True)
class Alert:
    """`for_`: how long it has to hold."""

    name: str
    expr: str
    for_: str
    severity: Literal["critical", "warning"]
    summary: str


def _no_worker() -> str:
    """True for each stage without a slot: no worker is seen, or all that are seen are leaving."""
    unseen = " or ".join(f'absent(dialtone_work_slots{{stage="{stage}"}})' for stage in STAGES)
    return f"{unseen} or sum by (stage) (dialtone_work_slots) == 0"


ALERTS = (
    Alert(
        "DialtoneNoGateway",
        "absent(dialtone_gateway_active_calls)",
        "2m",
        "critical",
        "No gateway is seen: nobody can call.",
    ),
    Alert(
        "DialtoneStageMissing",
        _no_worker(),
        "2m",
        "critical",
        "No worker of {{ $labels.stage }} is seen: no turn can be answered.",
    ),
    Alert(
        "DialtoneSlowAnswers",
        'histogram_quantile(0.95, sum by (le) (rate(dialtone_turn_seconds_bucket{part="total"}[10m]))) > 2',
        "10m",
        "warning",
        "Answers begin after {{ $value | humanizeDuration }} at p95.",
    ),
    Alert(
        "DialtoneCallsRefused",
        f'sum(increase(dialtone_gateway_refused_total{{reason=~"{_OURS}"}}[5m])) > 0',
        "5m",
        "critical",
        "Calls are refused: no room, or a server is not there.",
    ),
    Alert(
        "DialtoneWorkFails",
        "sum by (stage) (increase(dialtone_exhausted_work_total[10m])) > 0",
        "0m",
        "critical",
        "Work of {{ $labels.stage }} was given up: workers die of it, or none could take it.",
    ),
    Alert(
        "DialtoneQueueRefusesWork",
        "sum by (reason) (increase(dialtone_gateway_unqueued_work_total[5m])) > 0",
        "2m",
        "critical",
        "Work does not come onto its queue: {{ $labels.reason }}.",
    ),
    Alert(
        "DialtoneStageFull",
        "sum by (stage) (dialtone_work_in_progress) / sum by (stage) (dialtone_work_slots) > 0.9",
        "10m",
        "warning",
        "{{ $labels.stage }} uses {{ $value | humanizePercentage }} of its slots, and was not given more.",
    ),
    Alert(
        "DialtoneWorkersLost",
        "sum by (stage) (increase(dialtone_redeliveries_total[10m])) > 20",
        "0m",
        "warning",
        "Work of {{ $labels.stage }} is delivered again and again: its workers are lost.",
    ),
    Alert(
        "DialtoneModelLost",
        "sum by (model) (increase(dialtone_model_losses_total[10m])) > 2.5",
        "0m",
        "warning",
        "The process of {{ $labels.model }} crashed or hung more than twice in ten minutes.",
    ),
    Alert(
        "DialtoneMoshiTooSlow",
        "sum by (instance) (rate(dialtone_moshi_overruns_total[5m]))"
        " / sum by (instance) (rate(dialtone_moshi_step_seconds_count[5m])) > 0.02",
        "2m",
        "warning",
        "{{ $value | humanizePercentage }} of the steps of {{ $labels.instance }} take longer than 80 ms.",
    ),
    Alert(
        "DialtoneBrokerLost",
        "dialtone_bus_connected == 0",
        "1m",
        "critical",
        "{{ $labels.instance }} is without its broker.",
    ),
    Alert(
        "DialtoneSlowConsumer",
        'sum by (instance) (increase(dialtone_bus_errors_total{kind="slow_consumer"}[10m])) > 0',
        "0m",
        "warning",
        "{{ $labels.instance }} was too slow to take its messages.",
    ),
    Alert(
        "DialtoneStoreDown",
        "dialtone_store_up == 0",
        "1m",
        "critical",
        "{{ $labels.instance }} has no answer from {{ $labels.store }}.",
    ),
    Alert(
        "DialtoneWritesLost",
        f'sum by (reason) (increase(dialtone_store_outbox_lost_total{{reason=~"{_LOST}"}}[10m])) > 0',
        "0m",
        "critical",
        "Writes of sessions never reached SQL: {{ $labels.reason }}.",
    ),
    Alert(
        "DialtoneModelServerFails",
        "max by (backend) (dialtone_llm_open_breakers) > 0",
        "2m",
        "critical",
        "The server of {{ $labels.backend }} fails and is not asked.",
    ),
    Alert(
        "DialtoneRecogniserFails",
        "max by (backend) (dialtone_asr_open_breakers) > 0",
        "2m",
        "warning",
        "The server of {{ $labels.backend }} fails and is not asked to recognise.",
    ),
    Alert(
        "DialtoneVoiceFails",
        "max by (backend) (dialtone_tts_open_breakers) > 0",
        "2m",
        "warning",
        "The server of {{ $labels.backend }} fails and is not asked to speak.",
    ),
    Alert(
        "DialtoneEventLoopBlocked",
        "sum by (instance) (increase(dialtone_event_loop_stalls_total[10m])) > 0",
        "0m",
        "warning",
        "{{ $labels.instance }} stood still for over a second; its log says where.",
    ),
    Alert(
        "DialtoneLogsLost",
        "sum by (instance) (increase(dialtone_log_lines_lost_total[10m])) > 0",
        "0m",
        "warning",
        "{{ $labels.instance }} cannot write its log: is the disk full?",
    ),
)
