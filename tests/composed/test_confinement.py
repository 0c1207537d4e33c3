"""A process that may do more than it has to is told of, by what the kernel says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.composed.confinement import process_problems

RIGHT = (
    "Uid:\t10001\t10001\t10001\t10001\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
    "NoNewPrivs:\t1\nSeccomp:\t2\n"
)


def test_a_confined_process_is_right() -> None:
    assert list(process_problems(RIGHT)) == []


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("Uid:\t10001", "Uid:\t0", "root"),
        ("CapEff:\t0000000000000000", "CapEff:\t00000000a80425fb", "rights"),
        ("CapPrm:\t0000000000000000", "CapPrm:\t0000000000000001", "rights"),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "more rights"),
        ("Seccomp:\t2", "Seccomp:\t0", "system call"),
    ],
)
def test_one_that_is_not_is_told_of(right: str, wrong: str, words: str) -> None:
    assert any(words in problem for problem in process_problems(RIGHT.replace(right, wrong)))


def test_the_kernel_says_it_this_way() -> None:
    """What is known of this process, which nobody confines."""
    assert "may get more rights" in list(process_problems(Path("/proc/self/status").read_text()))
