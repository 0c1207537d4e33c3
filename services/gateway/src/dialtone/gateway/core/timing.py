"""Where the time of a turn went."""

from __future__ import annotations

from dataclasses import dataclass, field

from .server_events import TurnTiming


@dataclass(slots=True)
class TurnMarks:
    """Moments of one turn, in seconds on the call's clock. None: has not happened."""

    speech_end: float | None = None  # the last voiced sample arrived
    endpoint: float | None = None  # the turn was known to be over
    transcript: float | None = None
    submitted: float | None = None  # to the model; earlier than `endpoint` when it was speculative
    first_token: float | None = None
    first_sentence: float | None = None
    first_audio: float | None = None
    backends: dict[str, str] = field(default_factory=dict)  # who did the work of a stage
    _names: dict[str, dict[str, None]] = field(default_factory=dict)  # a name may have a plus of its own

    def worked(self, stage: str, *who: str) -> None:
        """Note who did the work of a stage: of several, "one+other" in the order in which they did."""
        names = self._names.setdefault(stage, {})
        names.update(dict.fromkeys(name for name in who if name))
        if names:
            self.backends[stage] = "+".join(names)

    def timing(self) -> TurnTiming:
        """The breakdown in ms. The parts follow each other without overlap: what a speculative
        start did before the endpoint was known cost the caller nothing, and counts as nothing."""
        timing, at = TurnTiming(), self.speech_end if self.speech_end is not None else self.submitted
        start = at
        for name, mark in (
            ("endpointing_ms", self.endpoint),
            ("asr_ms", self.transcript),
            ("llm_first_token_ms", self.first_token),
            ("first_sentence_ms", self.first_sentence),
            ("tts_first_chunk_ms", self.first_audio),
        ):
            if mark is None or at is None:
                continue
            setattr(timing, name, round(max(0.0, mark - at) * 1e3, 1))
            at = max(at, mark)
        if start is not None and self.first_audio is not None:
            timing.total_ms = round((self.first_audio - start) * 1e3, 1)
        return timing
