"""The turns of a conversation: a user's message and all that answers it.

Who cuts a conversation drops whole turns, or of one turn whole steps, so that a tool call is never cut
from its result.
"""

from collections.abc import Sequence

from dialtone.v1.turn_pb2 import Message


def split_turns(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    """Return the system messages at the beginning, and the turns after them. What comes before the first
    message of a user is a turn too."""
    head = next((at for at, m in enumerate(messages) if m.role != Message.ROLE_SYSTEM), len(messages))
    turns: list[list[Message]] = []
    for message in messages[head:]:
        if message.role == Message.ROLE_USER or not turns:
            turns.append([])
        turns[-1].append(message)
    return list(messages[:head]), turns


def split_steps(turn: Sequence[Message]) -> list[list[Message]]:
    """Split a turn before each of the model's messages: what was asked, then each answer with the results
    of its tools."""
    steps: list[list[Message]] = [[]]
    for message in turn:
        if message.role == Message.ROLE_ASSISTANT:
            steps.append([])
        steps[-1].append(message)
    return steps
