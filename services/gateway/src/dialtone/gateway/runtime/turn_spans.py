"""The span of a turn, of which those of its stages are parts."""

from __future__ import annotations

import time
from dataclasses import asdict

from dialtone.gateway.core.effects import TurnOver
from dialtone.telemetry.tracing import turn_span


def trace_turn(turn: TurnOver, *, call_id: str, session_id: str) -> None:
    """Make it: from the end of the user's speech, or from the question to the model, until now."""
    # Who did the work stands beside the times.
    marks = {name: at for name, at in asdict(turn.marks).items() if isinstance(at, float)}
    turn_span(
        "turn",
        turn.trace,
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.conversation.id": session_id,
            "dialtone.call.id": call_id,
            "dialtone.response.id": turn.response_id,
            "dialtone.response.status": turn.status,
        },
        began=min(marks.values(), default=time.monotonic()),
        marks=marks,
        failure=turn.failure,
    )
