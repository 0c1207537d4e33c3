"""Two runs of a lane at once leave each other's files alone."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.folders import run_folder


def test_runs_at_once_have_folders_of_their_own(tmp_path: Path) -> None:
    with run_folder("idle", tmp_path) as first:
        (first / "log").write_text("one")
        with run_folder("idle", tmp_path) as second:
            assert second != first
            assert not list(second.iterdir())
        assert (first / "log").read_text() == "one"


def test_a_run_that_is_over_leaves_its_logs_until_the_next_of_its_lane(tmp_path: Path) -> None:
    with run_folder("idle", tmp_path) as first:
        (first / "log").write_text("one")
    with run_folder("soak", tmp_path):
        assert first.exists()
    with run_folder("idle", tmp_path):
        assert not first.exists()
