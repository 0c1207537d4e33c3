"""A soak that fails says why, with figures."""

from __future__ import annotations

import pytest

from tests.chaos import soak
from tests.chaos.soak import MOST, Noted, Soaked
from tests.chaos.table import Row

SEEN = 20  # looks at the gateway


def gateway(grown: float) -> Noted:
    """One whose memory grows by so many MiB from the second to the last fifth, and nothing else of it."""
    noted = Noted()
    for number in range(SEEN):
        memory = 100.0 if number < SEEN // 2 else 100.0 + grown
        noted.at.append(float(number))
        noted.had.append({"rss MiB": memory, "tasks": 40.0, "fds": 20.0})
    return noted


def test_what_grew_by_too_much_is_named_with_how_much_it_was_and_may_be() -> None:
    most = MOST["rss MiB"]
    assert Soaked([], 0.1, gateway(most), {}, 60.0).wrong == []
    (reason,) = Soaked([], 0.1, gateway(most + 9.5), {}, 60.0).wrong
    assert f"{most + 9.5:g} rss MiB" in reason
    assert f"at most {most:g}" in reason


def test_so_is_what_was_left_and_what_was_heard_wrong() -> None:
    row = Row("killed", "asr, listening", wrong=["1 words lost"])
    soaked = Soaked([row], 0.1, gateway(0.0), {"subscriptions": 28.0}, 60.0)
    assert soaked.wrong == ["left inside: 28 subscriptions", "killed (asr, listening): 1 words lost"]


def test_the_lane_prints_it_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def grown(*_: object) -> Soaked:
        return Soaked([], 0.1, gateway(39.5), {}, 60.0)

    monkeypatch.setattr(soak, "soak", grown)
    monkeypatch.setattr(soak, "report", lambda *_: None)
    assert soak.main(["--seed", "1"]) == 1
    assert "NO: the gateway has grown by 39.5 rss MiB" in capsys.readouterr().out
