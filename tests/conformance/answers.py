"""Rules for the chat server that more than one scenario needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fixtures.chat_answers import Answer

STORY = " ".join(f"This is sentence number {number} of the long story." for number in range(1, 6))


def tells_a_story(body: Mapping[str, Any]) -> Answer | None:
    """A user who says "story": STORY, so slowly that it can be interrupted."""
    last = body["messages"][-1]
    if last["role"] == "user" and "story" in last["content"].lower():
        return Answer(STORY, pace_s=0.015)
    return None


def reports_all_results(body: Mapping[str, Any]) -> Answer | None:
    """Whatever tools have returned since the user spoke, also where an answer was given in between."""
    results: list[str] = []
    for message in reversed(body["messages"]):
        if message["role"] == "user":
            break
        if message["role"] == "tool":
            results.insert(0, message["content"])
    return Answer(f"Results: {'; '.join(results)}.") if results else None
