"""What a load tells of itself."""

from __future__ import annotations

from collections.abc import Iterator

from tests.load.generator import Generator
from tests.load.lines import Pace


def pace(calls: int, *, cpu_s: float = 1.0, frames: int = 100, late: int = 0, lag_ms: float = 1.0) -> Pace:
    return Pace(calls, 5.0, cpu_s, frames, late, 2.0 + late, lag_ms, 10 * lag_ms)


def processor_times(*used: float) -> Iterator[float]:
    total = 100.0  # what the process used before
    for one in (0.0, *used):
        total += one
        yield total


def test_processor_time_is_that_of_the_full_load_and_lateness_that_of_the_whole_run() -> None:
    times = processor_times(4.0, 0.5, 0.7, 4.0)
    generator = Generator(lambda: next(times))
    for one in (
        pace(20, cpu_s=0.1, late=10, lag_ms=7.0),  # they are still coming
        pace(100, cpu_s=2.0),
        pace(95, cpu_s=3.0, late=2),
        pace(50, cpu_s=0.1),
    ):
        generator.add(one)
    report = generator.report()
    assert report is not None
    assert (report.calls, report.talker_cores, report.locust_cores) == (100, 0.5, 0.12)
    assert (report.frames, report.late_frames, report.late_p99_ms) == (400, 0.03, 12.0)
    assert (report.lag_p99_ms, report.lag_max_ms) == (7.0, 70.0)
    assert report.in_words().startswith(
        "100 calls on 0.50 of a core, locust on 0.12; 3.00% of 400 frames late"
    )


def test_of_a_load_that_told_nothing_there_is_no_report() -> None:
    assert Generator().report() is None
