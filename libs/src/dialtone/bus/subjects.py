"""Names on the broker. An id is checked before it becomes part of a subject, where `*`, `>`, `.` and
white space have a meaning."""

import re
from enum import StrEnum

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")


class Stage(StrEnum):
    """The stages that take work."""

    ASR = "asr"
    LLM = "llm"
    TTS = "tts"
    MOSHI = "moshi"


def token(value: str) -> str:
    """`value` itself, if it may stand as one token of a subject; ValueError otherwise."""
    if _TOKEN.fullmatch(value) is None:
        raise ValueError(f"not usable in a subject: {value[:80]!r}")
    return value


def work_subject(stage: Stage, pool: str) -> str:
    """Where work for a pool of workers is queued."""
    return f"work.{stage}.{token(pool)}"


def stream_name(stage: Stage) -> str:
    """The JetStream stream that holds the work of a stage."""
    return f"WORK_{stage.upper()}"


def consumer_name(stage: Stage, pool: str) -> str:
    """The durable consumer from which a pool's workers pull."""
    return f"{stage}-{token(pool)}"


def audio_subject(call_id: str) -> str:
    """Gateway to legs: EarsInput."""
    return f"call.{token(call_id)}.audio"


def control_subject(call_id: str) -> str:
    """Gateway to workers: Control."""
    return f"call.{token(call_id)}.control"


def events_subject(call_id: str) -> str:
    """Workers to gateway: WorkerEvent."""
    return f"call.{token(call_id)}.events"


def alive_subject(instance: str) -> str:
    """Gateways to a running worker: nothing, but the broker tells them when nobody hears it."""
    return f"worker.{token(instance)}.alive"


def offers_subject(stage: Stage, pool: str) -> str:
    """Gateways to one worker of a pool: nothing, answered by Offers."""
    return f"offers.{stage}.{token(pool)}"


def leave_subject(gateway_id: str) -> str:
    """Gateway to gateway: Leave."""
    return f"gateway.{token(gateway_id)}.leave"
