"""What the page does without a browser: its types, and the parts of it that are plain functions."""

from __future__ import annotations

from tests.page.browser import PAGE, run_node


def test_the_types_are_right() -> None:
    run_node("node_modules/typescript/bin/tsc", within_s=90)


def test_each_module_does_what_it_says() -> None:
    run_node("--test", "src/**/*.test.ts", within_s=90)


def test_the_lock_file_names_hashes_and_no_places() -> None:
    lock = (PAGE / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity": "sha512-' in lock
    assert '"resolved"' not in lock
    assert ".tgz" not in lock
