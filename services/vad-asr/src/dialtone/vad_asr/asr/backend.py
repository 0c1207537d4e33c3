"""What every recogniser is to the rest of the ears."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import ClassVar, Protocol

from dialtone.vad_asr.asr.abilities import Abilities
from dialtone.vad_asr.asr.pool import Urgency
from dialtone.vad_asr.asr.recognition import MAX_PASSAGE_SECONDS, Passage, Recognition
from dialtone.vendors.failures import UpstreamFailure

_LONGEST = MAX_PASSAGE_SECONDS + 1.0


class Question:
    """What was said in this passage? `model` is the name that the backend's server knows."""

    def __init__(self, passage: Passage, urgency: Urgency, model: str = "") -> None:
        self.passage = passage
        self.urgency = urgency
        self.model = model
        self._promoted: list[Callable[[], None]] = []

    def promote(self) -> None:
        """What was a guess is the final: somebody waits for it."""
        self.urgency = Urgency.FINAL
        for told in self._promoted:
            told()

    def when_promoted(self, tell: Callable[[], None]) -> None:
        """Have that told to what has the question."""
        self._promoted.append(tell)


class Listener(Protocol):
    """A backend's ear for one call."""

    def hear(self, question: Question) -> AsyncGenerator[Recognition, None]:
        """Yield what is known so far, as far as the backend shows it (`partial`), then the answer.

        Closing the iterator stops the recognition. What is FOLLOWED, by those alone that can end turns, is
        answered at once with what is known. Raises UpstreamFailure of a vendor; of the local model
        PoolOverloaded, RecognitionFailed, or HandBack where there is none any more.
        """
        ...

    async def close(self) -> None:
        """Let go of what the call held."""
        ...


class PassageListener:
    """An ear that knows nothing of a call but the passage that it is asked about."""

    def __init__(self, hear: Callable[[Question], AsyncGenerator[Recognition, None]]) -> None:
        self._hear = hear

    def hear(self, question: Question) -> AsyncGenerator[Recognition, None]:
        return self._hear(question)

    async def close(self) -> None:
        """Nothing was held."""


class AsrBackend(Protocol):
    """A way to have speech recognised. One instance serves all calls of the process."""

    name: ClassVar[str]
    """The kind of backend, as in the registry."""
    abilities: ClassVar[Abilities]

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do that somebody needs: it may be asked for what is only shown."""
        ...

    def listen(self) -> Listener:
        """An ear for a call."""
        ...

    async def close(self) -> None:
        """Let go of connections. No listener is open any more."""
        ...


def refuse_unheard_of(passage: Passage) -> None:
    """Raise UpstreamFailure for a passage that no caller of ours makes: nothing in it, or far too much."""
    if not len(passage.samples):
        raise UpstreamFailure("invalid_audio", "there is no audio")
    if passage.seconds > _LONGEST:
        most = f"{MAX_PASSAGE_SECONDS:.0f} s are the most"
        raise UpstreamFailure("invalid_audio", f"{passage.seconds:.0f} s of audio, where {most}")
