"""What each alert is to make of figures: it has to speak of some, and not of others that look like them.

Series are written as promtool writes them: `0+0x4 1+0x20` is five times 0, then 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STEP = "30s"
ONCE = "0+0x4 1+0x20"
"""Happens for the first time after two and a half minutes, and not again."""
_CALL, _TURN = "dialtone_gateway_active_calls", 'dialtone_turn_seconds_bucket{part="total"'
_REFUSED = "dialtone_gateway_refused_total"
_OVERRUNS = 'dialtone_moshi_overruns_total{instance="m1"}'
_STEPS = 'dialtone_moshi_step_seconds_count{instance="m1"}'
_LOSSES = 'dialtone_model_losses_total{model="asr"'


@dataclass(frozen=True)
class Case:
    """`at` a moment after the first sample, the alert is firing with `summary` and these labels beside its
    severity; or, without a summary, it is not firing. `every` is the time between samples."""

    alert: str
    why: str
    series: Mapping[str, str]
    at: str
    summary: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    every: str = STEP


def _slots(**of_stages: str) -> dict[str, str]:
    return {f'dialtone_work_slots{{stage="{stage}"}}': values for stage, values in of_stages.items()}


CASES = (
    Case("DialtoneNoGateway", "none", {"up": "0+0x20"}, "3m", "No gateway is seen: nobody can call."),
    Case("DialtoneNoGateway", "no calls", {f'{_CALL}{{dialect="realtime"}}': "0+0x20"}, "9m"),
    Case(
        "DialtoneStageMissing",
        "never there",
        _slots(asr="8+0x20", llm="8+0x20"),
        "3m",
        "No worker of tts is seen: no turn can be answered.",
        {"stage": "tts"},
    ),
    Case(
        "DialtoneStageMissing",
        "all leave",
        _slots(asr="8+0x20", llm="8+0x4 0+0x20", tts="8+0x20"),
        "5m",
        "No worker of llm is seen: no turn can be answered.",
        {"stage": "llm"},
    ),
    Case(
        "DialtoneStageMissing",
        "back in time",
        _slots(asr="8+0x20", llm="8+0x4 stale _x2 8+0x20", tts="8+0x20"),
        "5m",
    ),
    Case(
        "DialtoneSlowAnswers",
        "nineteen of twenty take 2 to 3 s",
        {f'{_TURN},le="2"}}': "0+1x60", f'{_TURN},le="3"}}': "0+20x60", f'{_TURN},le="+Inf"}}': "0+20x60"},
        "25m",
        "Answers begin after 2.947s at p95.",
    ),
    Case(
        "DialtoneSlowAnswers",
        "one of a hundred does",
        {f'{_TURN},le="2"}}': "0+99x60", f'{_TURN},le="3"}}': "0+100x60", f'{_TURN},le="+Inf"}}': "0+100x60"},
        "25m",
    ),
    Case(
        "DialtoneCallsRefused",
        "for minutes",
        {f'{_REFUSED}{{reason="gateway_full"}}': "0+1x60"},
        "15m",
        "Calls are refused: no room, or a server is not there.",
    ),
    Case("DialtoneCallsRefused", "one was", {f'{_REFUSED}{{reason="gateway_full"}}': ONCE}, "7m"),
    Case("DialtoneCallsRefused", "wrong keys", {f'{_REFUSED}{{reason="invalid_api_key"}}': "0+1x60"}, "15m"),
    Case("DialtoneCallsRefused", "a rollout", {f'{_REFUSED}{{reason="gateway_draining"}}': "0+1x60"}, "15m"),
    Case(
        "DialtoneWorkFails",
        "the first time",
        {'dialtone_exhausted_work_total{stage="tts"}': ONCE},
        "3m",
        "Work of tts was given up: workers die of it, or none could take it.",
        {"stage": "tts"},
    ),
    Case("DialtoneWorkFails", "never", {'dialtone_exhausted_work_total{stage="tts"}': "0+0x20"}, "9m"),
    Case(
        "DialtoneQueueRefusesWork",
        "the first time",
        {'dialtone_gateway_unqueued_work_total{reason="overloaded"}': ONCE},
        "5m",
        "Work does not come onto its queue: overloaded.",
        {"reason": "overloaded"},
    ),
    Case(
        "DialtoneQueueRefusesWork",
        "it is over",
        {'dialtone_gateway_unqueued_work_total{reason="overloaded"}': ONCE},
        "9m",
    ),
    Case(
        "DialtoneStageFull",
        "nineteen of twenty",
        {'dialtone_work_in_progress{stage="llm"}': "19+0x40", **_slots(llm="20+0x40")},
        "11m",
        "llm uses 95% of its slots, and was not given more.",
        {"stage": "llm"},
    ),
    Case(
        "DialtoneStageFull",
        "the autoscaler adds",
        {'dialtone_work_in_progress{stage="llm"}': "19+0x40", **_slots(llm="20+0x10 30+0x30")},
        "15m",
    ),
    Case(
        "DialtoneWorkersLost",
        "again and again",
        {'dialtone_redeliveries_total{stage="asr"}': "0+3x20"},
        "6m",
        "Work of asr is delivered again and again: its workers are lost.",
        {"stage": "asr"},
    ),
    Case(
        "DialtoneWorkersLost", "one left", {'dialtone_redeliveries_total{stage="asr"}': "0+0x4 12+0x20"}, "6m"
    ),
    Case(
        "DialtoneMoshiTooSlow",
        "every tenth step",
        {_OVERRUNS: "0+37x40", _STEPS: "0+375x40"},
        "9m",
        "9.867% of the steps of m1 take longer than 80 ms.",
        {"instance": "m1"},
    ),
    Case("DialtoneMoshiTooSlow", "one now and then", {_OVERRUNS: "0+3x40", _STEPS: "0+375x40"}, "9m"),
    Case("DialtoneMoshiTooSlow", "no calls", {_OVERRUNS: "7+0x40", _STEPS: "900+0x40"}, "9m"),
    Case(
        "DialtoneModelLost",
        "three times",
        {f'{_LOSSES},how="crashed"}}': "0+1x2 2+0x40", f'{_LOSSES},how="hung"}}': ONCE},
        "4m",
        "The process of asr crashed or hung more than twice in ten minutes.",
        {"model": "asr"},
    ),
    Case(
        "DialtoneModelLost",
        "twice, and samples do not fill the ten minutes, so that the increase is extrapolated beyond two",
        {f'{_LOSSES},how="crashed"}}': "3+0x13 5+0x30", f'{_LOSSES},how="hung"}}': "0+0x50"},
        "15m",
        every="45s",
    ),
    Case(
        "DialtoneBrokerLost",
        "for a minute",
        {'dialtone_bus_connected{job="llm",instance="llm:8080"}': "1+0x2 0+0x20"},
        "4m",
        "llm:8080 is without its broker.",
        {"job": "llm", "instance": "llm:8080"},
    ),
    Case(
        "DialtoneBrokerLost",
        "a restart",
        {'dialtone_bus_connected{job="llm",instance="llm:8080"}': "1+0x2 0 1+0x20"},
        "4m",
    ),
    Case(
        "DialtoneSlowConsumer",
        "the first time",
        {'dialtone_bus_errors_total{kind="slow_consumer",instance="gateway:9090"}': ONCE},
        "3m",
        "gateway:9090 was too slow to take its messages.",
        {"instance": "gateway:9090"},
    ),
    Case(
        "DialtoneSlowConsumer",
        "another error",
        {'dialtone_bus_errors_total{kind="TimeoutError",instance="gateway:9090"}': ONCE},
        "3m",
    ),
    Case(
        "DialtoneStoreDown",
        "for a minute",
        {'dialtone_store_up{store="sql",instance="gateway:9090"}': "1+0x2 0+0x20"},
        "4m",
        "gateway:9090 has no answer from sql.",
        {"store": "sql", "instance": "gateway:9090"},
    ),
    Case(
        "DialtoneStoreDown",
        "a restart",
        {'dialtone_store_up{store="redis",instance="gateway:9090"}': "1+0x2 0 1+0x20"},
        "4m",
    ),
    Case(
        "DialtoneWritesLost",
        "the first time",
        {'dialtone_store_outbox_lost_total{reason="full"}': ONCE},
        "3m",
        "Writes of sessions never reached SQL: full.",
        {"reason": "full"},
    ),
    Case(
        "DialtoneWritesLost",
        "to a later call",
        {'dialtone_store_outbox_lost_total{reason="displaced"}': ONCE},
        "3m",
    ),
    Case(
        "DialtoneModelServerFails",
        "for two minutes",
        {'dialtone_llm_open_breakers{backend="openai",instance="llm:8080"}': "0+0x2 1+0x20"},
        "4m",
        "The server of openai fails and is not asked.",
        {"backend": "openai"},
    ),
    Case(
        "DialtoneModelServerFails",
        "for one",
        {'dialtone_llm_open_breakers{backend="openai",instance="llm:8080"}': "0+0x2 1 1 0+0x20"},
        "4m",
    ),
    Case(
        "DialtoneRecogniserFails",
        "for two minutes",
        {'dialtone_asr_open_breakers{backend="deepgram",instance="vad-asr:8080"}': "0+0x2 1+0x20"},
        "4m",
        "The server of deepgram fails and is not asked to recognise.",
        {"backend": "deepgram"},
    ),
    Case(
        "DialtoneRecogniserFails",
        "for one",
        {'dialtone_asr_open_breakers{backend="deepgram",instance="vad-asr:8080"}': "0+0x2 1 1 0+0x20"},
        "4m",
    ),
    Case(
        "DialtoneVoiceFails",
        "for two minutes, on one of two",
        {
            'dialtone_tts_open_breakers{backend="openai",instance="tts-1:8080"}': "0+0x2 1+0x20",
            'dialtone_tts_open_breakers{backend="openai",instance="tts-2:8080"}': "0+0x22",
        },
        "4m",
        "The server of openai fails and is not asked to speak.",
        {"backend": "openai"},
    ),
    Case(
        "DialtoneVoiceFails",
        "for one",
        {'dialtone_tts_open_breakers{backend="openai",instance="tts-1:8080"}': "0+0x2 1 1 0+0x20"},
        "4m",
    ),
    Case(
        "DialtoneEventLoopBlocked",
        "the first time",
        {'dialtone_event_loop_stalls_total{instance="gateway:9090"}': ONCE},
        "3m",
        "gateway:9090 stood still for over a second; its log says where.",
        {"instance": "gateway:9090"},
    ),
    Case(
        "DialtoneEventLoopBlocked",
        "a process starts anew",
        {'dialtone_event_loop_stalls_total{instance="gateway:9090"}': "3+0x4 0+0x20"},
        "3m",
    ),
    Case(
        "DialtoneLogsLost",
        "the first time",
        {'dialtone_log_lines_lost_total{instance="gateway:9090"}': ONCE},
        "3m",
        "gateway:9090 cannot write its log: is the disk full?",
        {"instance": "gateway:9090"},
    ),
    Case("DialtoneLogsLost", "never", {'dialtone_log_lines_lost_total{instance="a"}': "0+0x20"}, "9m"),
)
