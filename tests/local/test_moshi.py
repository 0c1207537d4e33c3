"""Moshi is in a stack where it was asked for, and where nothing has to be loaded for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dialtone.local.plan import make_plan
from dialtone.local.settings import StackSettings


@pytest.mark.parametrize(
    ("given", "variant"),
    [
        ({"stages": "simulated"}, "sft"),
        ({"stages": "simulated", "moshi": "base"}, "base"),
        ({"stages": "real"}, ""),
        ({"stages": "real", "moshi": "sft"}, "sft"),
    ],
)
def test_a_stack_has_the_moshi_that_it_offers(
    given: dict[str, Any], variant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MOSHI_VARIANTS", raising=False)
    plan = make_plan(StackSettings(port=0, run_dir=tmp_path, **given))
    workers = {worker.name: worker for worker in plan.workers}
    assert workers.keys() == {"vad-asr", "llm", "tts"} | ({"moshi"} if variant else set())
    assert plan.gateway.environment.get("MOSHI_VARIANTS", "") == variant
    if variant:
        assert workers["moshi"].environment["MOSHI_VARIANT"] == variant
        assert workers["moshi"].command[1:] == ("-m", "dialtone.llm.moshi")
