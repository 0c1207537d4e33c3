"""Our processes log JSON, for machines; a person at a terminal reads words."""

import json
from typing import Any

_UNSAID = {"event", "level", "timestamp", "service", "module", "logger", "exception", "stack"}


def readable(line: str) -> list[str]:
    """Return the lines to show for one line of a log; a traceback gets its own."""
    try:
        entry: Any = json.loads(line)
    except ValueError:
        return [line]
    if not isinstance(entry, dict) or "event" not in entry:
        return [line]
    details = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _UNSAID)
    first = f"{entry.get('level', 'info')}: {entry['event']}"
    return [f"{first} ({details})" if details else first, *str(entry.get("exception", "")).splitlines()]
