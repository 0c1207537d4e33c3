"""What the page says when a call cannot be had, or breaks."""

from __future__ import annotations

from pathlib import Path

from tests.fixtures.gateway import KEY, Gateway, running_gateway
from tests.page.browser import run_browser

# Nobody works here: what is said is waited for, what is typed is given up.
_PATIENCE = {"WORK_CLAIM_TIMEOUT_ASR_S": "600", "WORK_CLAIM_TIMEOUT_LLM_S": "1"}


def test_whatever_is_wrong_is_said_with_what_to_do(guarded_gateway: Gateway, tmp_path: Path) -> None:
    """A full gateway, a broken line, a session that is gone, no microphone, no permission, no key."""
    with running_gateway(tmp_path, MAX_CALLS="1", **_PATIENCE) as gateway:
        run_browser("troubles.test.ts", GATEWAY=gateway.url, GUARDED=guarded_gateway.url, KEY=KEY)
