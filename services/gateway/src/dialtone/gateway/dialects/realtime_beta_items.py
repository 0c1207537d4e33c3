"""Items of a conversation as beta events carry them."""

from __future__ import annotations

from typing import Any

_CONTENT = {"output_text": "text", "output_audio": "audio"}


def beta_item(item: dict[str, Any]) -> dict[str, Any]:
    """A GA item with beta's names for what the assistant says."""
    if item["type"] != "message":
        return item
    content = [{**part, "type": _CONTENT.get(part["type"], part["type"])} for part in item["content"]]
    return {**item, "content": content}
