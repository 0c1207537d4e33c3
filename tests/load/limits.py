"""What a load test must keep to: past a limit it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

V2V = "voice to voice"
FIRST_AUDIO = "first audio"
GAP = "gap in the answer"
OPENING = "call opened"
STOP = "interruption noticed"
TURN = "turn"
CALL = "call"
HANG_UP = "hung up in a turn"


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in ms at p95; shares of turns and calls, and of the load's own frames. None: no limit."""

    v2v_ms: float | None
    gap_ms: float | None
    failed: float
    late_frames: float = 1.0

    def broken(
        self,
        p95: Callable[[str], float | None],
        failed: Callable[[str], float | None],
        late_frames: float = 0.0,
    ) -> Iterator[str]:
        """In words, each limit that does not hold; also when there is nothing that could be measured."""
        if late_frames > self.late_frames:
            yield (
                f"{late_frames:.1%} of the load's own frames were late, over {self.late_frames:.1%}: "
                "what it measured is itself"
            )
        if p95(V2V) is None:
            yield "no turn was answered"
        for name, limit in ((V2V, self.v2v_ms), (GAP, self.gap_ms)):
            seen = p95(name)
            if limit is not None and seen is not None and seen > limit:
                yield f"{name}: p95 is {seen:.0f} ms, over {limit:.0f}"
        for name in (TURN, CALL):
            share = failed(name)
            if share is not None and share > self.failed:
                yield f"{share:.1%} of the {name}s failed, over {self.failed:.1%}"
