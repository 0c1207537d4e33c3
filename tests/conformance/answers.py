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


def reports_results(body: Mapping[str, Any]) -> Answer | None:
    """All that tools have returned, until they are thanked: an answer may stand between two results."""
    results = [message["content"] for message in body["messages"] if message["role"] == "tool"]
    if not results or body["messages"][-1]["content"] == "Thank you":
        return None
    return Answer(f"Results: {'; '.join(results)}.")
