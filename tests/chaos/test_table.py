"""Every proof that docs/faults.md names is there, be it a test or a lane."""

from __future__ import annotations

import re
from pathlib import Path

from tests.chaos.__main__ import LANES

ROOT = Path(__file__).parents[2]
NOT_PROMISED = (6, 30)


def rows() -> dict[int, str]:
    lines = (ROOT / "docs/faults.md").read_text(encoding="utf-8").splitlines()
    return {int(found[1]): line for line in lines if (found := re.match(r"\| F(\d+) \|", line))}


def test_every_fault_has_a_row_and_a_proof() -> None:
    assert sorted(rows()) == list(range(1, 36))
    for number, line in rows().items():
        proofs = re.findall(r"`tests/[\w/]+\.py::\w+`|`make (?:chaos LANE=\w+|soak)`", line)
        assert bool(proofs) == (number not in NOT_PROMISED), f"F{number}"


def test_every_test_and_every_lane_that_is_named_exists() -> None:
    text = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
    for path, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text):
        source = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}", source, re.MULTILINE), f"{path} has no {name}"
    assert set(re.findall(r"LANE=(\w+)", text)) <= LANES.keys()
