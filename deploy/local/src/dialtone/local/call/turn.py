"""What is known about one turn when it is over."""

from dataclasses import dataclass, field

PARTS = ("endpointing_ms", "asr_ms", "llm_first_token_ms", "first_sentence_ms", "tts_first_chunk_ms")
"""The parts of a turn as the gateway measures them, in the order of their happening."""


class CallFailed(Exception):
    """The call could not be made, or a turn of it was not answered; the message says why."""


@dataclass(slots=True)
class Turn:
    """One question and its answer. Times are of perf_counter, `pcm` is the answer at `rate` Hz."""

    number: int
    rate: int
    voice_end: float | None = None
    first_sound: float | None = None
    heard: str = ""
    answer: str = ""
    pcm: bytearray = field(default_factory=bytearray)
    parts: dict[str, float] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    @property
    def v2v_ms(self) -> float | None:
        """From writing the question's last voiced frame to receiving the answer's first voiced sample."""
        if self.voice_end is None or self.first_sound is None:
            return None
        return (self.first_sound - self.voice_end) * 1000

    @property
    def rest_ms(self) -> float | None:
        """What of v2v the gateway's parts do not account for: gateway, bus, sockets, this client."""
        if self.v2v_ms is None or not self.parts:
            return None
        return self.v2v_ms - sum(self.parts.get(name, 0.0) for name in PARTS)
