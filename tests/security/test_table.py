"""Every proof that docs/security.md names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [*range(1, 17), 19, 20, 22, *range(23, 29), 30]


def test_every_row_names_tests_that_exist() -> None:
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    lines = text.partition("## Shown to fail")[0].splitlines()
    rows = {int(found[1]): line for line in lines if (found := re.match(r"\| S(\d+) \|", line))}
    assert sorted(rows) == ROWS
    for number, line in rows.items():
        proofs = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line)
        assert proofs, f"S{number} is not proven"
        for path, name in proofs:
            source = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"^(async )?def {name}", source, re.MULTILINE), f"{path} has no {name}"
