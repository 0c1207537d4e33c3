"""Runs a recorded call again, and compares what it does with what it did."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .call import Call, CoreEvent
from .effects import Effect
from .recording import Beginning, Cut, Frame, Step, Unreadable, digest_of, event_of


class _OtherId(Exception):
    """The call draws an id where the recorded one did not, or of another kind."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """One step of the recording, run again."""

    step: Step
    event: CoreEvent
    effects: list[Effect]
    difference: str = ""  # empty: the same, to the byte


class RecordedIds:
    """Gives a call the ids that it drew when it was recorded."""

    def __init__(self) -> None:
        self.left: deque[str] = deque()

    def __call__(self, prefix: str) -> str:
        if not self.left or not self.left[0].startswith(f"{prefix}_"):
            drawn = self.left[0] if self.left else "none"
            raise _OtherId(f"it asks for an id '{prefix}_...', and drew {drawn}")
        return self.left.popleft()


class CallRerun:
    """A recording's call, made anew from its Beginning; `call` may be looked at between the steps."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        """Raises Unreadable when the recording does not begin with a Beginning."""
        self._frames = iter(frames)
        beginning = next(self._frames, None)
        if not isinstance(beginning, Beginning):
            raise Unreadable("The recording has no beginning.")
        self.beginning = beginning
        self.cut = ""  # why the recording ends before the call
        self._ids = RecordedIds()
        self.call = Call(
            call_id=beginning.call_id,
            session_id=beginning.session_id,
            config=beginning.config,
            items=beginning.items,
            new_id=self._ids,
            expires_at=beginning.expires_at,
            limits=beginning.limits,
        )

    def steps(self) -> Iterator[Rerun]:
        """Every step run again, up to the first that differs: what comes after it would say nothing."""
        for frame in self._frames:
            if isinstance(frame, Beginning):
                raise Unreadable("The recording begins twice.")
            if isinstance(frame, Cut):
                self.cut = frame.reason
                return
            rerun = self._run(frame)
            yield rerun
            if rerun.difference or frame.raised:
                return

    def _run(self, step: Step) -> Rerun:
        event = event_of(step)
        self._ids.left.extend(step.ids)
        effects: list[Effect] = []
        try:
            effects = self.call.handle(event, step.now)
        except _OtherId as error:
            return Rerun(step, event, effects, str(error))
        except Exception as error:  # noqa: BLE001 - whatever the call broke with, it is to be the same
            raised = type(error).__name__
            same = raised == step.raised
            return Rerun(step, event, effects, "" if same else f"it breaks now: {error!r}")
        return Rerun(step, event, effects, self._difference(step, effects))

    def _difference(self, step: Step, effects: list[Effect]) -> str:
        if step.raised:
            return f"it broke with {step.raised}, and does not now"
        if self._ids.left:
            return f"it drew {', '.join(self._ids.left)}, and does not now"
        digest = digest_of(effects)
        if digest != step.digest:
            return f"its effects had the digest {step.digest or '(none)'}, and have {digest or '(none)'}"
        return ""
