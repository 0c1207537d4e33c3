"""Keeping a prompt within what one message on the bus can carry.

The model's own window is its worker's to keep. What is dropped here are the oldest turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dialtone.chat import split_steps, split_turns
from dialtone.v1.turn_pb2 import LlmTurn, Message

# Of the room for a prompt, what is left full after a cut where the session names no ratio. The cut
# moves in steps of the rest: between two steps the prompt keeps its beginning, and a server its cache.
RETENTION_RATIO = 0.8


def fit(turn: LlmTurn, room: int, truncation: Any) -> bool:
    """Drop of the turn's messages what it takes to fit `room` bytes; False if that cannot be done.

    Nothing may be dropped where the turn's truncation is disabled; else the `retention_ratio` of
    `truncation`, the session's, says how much is to be left. The instructions stay, and so does the
    last turn; of that the oldest tool calls go with their results where it does not fit by itself.
    """
    over = turn.ByteSize() - room
    if over <= 0:
        return True
    if turn.truncation_disabled:
        return False
    ratio = truncation.get("retention_ratio") if isinstance(truncation, dict) else None
    step = max(1, round(room * (1 - (RETENTION_RATIO if ratio is None else ratio))))
    system, turns = split_turns(turn.messages)
    wanted, dropped = -(-over // step) * step, 0
    while len(turns) > 1 and dropped < wanted:
        dropped += _size(turns.pop(0))
    if turns and dropped < over:
        asked, *steps = split_steps(turns[0])
        while len(steps) > 1 and dropped < over:
            dropped += _size(steps.pop(0))
        turns[0] = [message for step in (asked, *steps) for message in step]
    if dropped < over:
        return False
    del turn.messages[:]
    turn.messages.extend([*system, *(message for kept in turns for message in kept)])
    return True


def _size(messages: Sequence[Message]) -> int:
    """Bytes within the turn, at least: the message, its tag and its length."""
    return sum(message.ByteSize() + 2 for message in messages)
