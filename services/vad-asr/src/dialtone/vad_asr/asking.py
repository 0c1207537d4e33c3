"""What a leg asks the recogniser about its turns, long ones in parts."""

from __future__ import annotations

from collections.abc import Sequence

from dialtone.v1.ears_pb2 import Transcription as Wanted
from dialtone.vad_asr.asr.pool import PoolOverloaded, RecognitionFailed, RecognitionLost, Urgency
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, Passage, Recognition
from dialtone.vad_asr.hearing import Hearing
from dialtone.vad_asr.passages import LONG_GAP, LONGEST, MARGIN, Cut, passages
from dialtone.vad_asr.transcriber import SoFar, Transcriber, joined
from dialtone.vad_asr.turn import Ask, OpenTurn

_SECOND = SAMPLE_RATE


class Asking:
    """Asks about stretches of what one leg hears; `wanted` is the client's configuration."""

    def __init__(self, hearing: Hearing, transcriber: Transcriber, wanted: Wanted) -> None:
        self._hearing = hearing
        self._transcriber = transcriber
        self.wanted = wanted

    @property
    def wanted(self) -> Wanted:
        return self._wanted

    @wanted.setter
    def wanted(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._transcriber.use(wanted.model)

    @property
    def early(self) -> bool:
        """Whether text may be asked for before the turn is over."""
        return self._transcriber.early

    @property
    def live(self) -> bool:
        """Whether the recogniser is to have the audio of a turn while it is spoken."""
        return self._transcriber.live

    @property
    def followed(self) -> bool:
        """Whether the recogniser is to say where turns end, and so has to hear their silences, too."""
        return self._hearing.policy.told and self._transcriber.ends_turns

    @property
    def idle(self) -> bool:
        """Whether the recogniser has nothing to do that somebody needs."""
        return self._transcriber.idle

    def about(self, start: int, end: int, urgency: Urgency, so_far: SoFar | None = None) -> Ask:
        """What was said from one position to another?"""
        return self._begin(_passages(self._cut(start, end, MARGIN)), urgency, so_far)

    def about_turn(self, turn: OpenTurn, end: int, urgency: Urgency, so_far: SoFar | None = None) -> Ask:
        """What was said in the turn so far? Only what is not in its heads is asked anew."""
        cuts = self._cut(turn.settled, end, self._tail(turn))
        ask = self._begin(_passages(cuts), urgency, so_far)
        ask.heads = tuple(turn.heads)
        return ask

    def about_nothing(self) -> Ask:
        """Answered by no words, without the model."""
        return self._begin([], Urgency.FINAL)

    def settle(self, turn: OpenTurn) -> None:
        """Has the beginning of a long turn recognised once and for all, a passage at a time.

        So neither a partial nor the final has to wait for more than the last passage.
        """
        position = self._hearing.position
        if not self.early or position - turn.settled <= LONGEST + _SECOND or position < turn.next_head:
            return
        turn.next_head = position + _SECOND
        if turn.heads and turn.heads[-1].transcription.failed:
            turn.settled = turn.heads.pop().start
        if turn.heads and not turn.heads[-1].transcription.done:
            return
        cuts = self._cut(turn.settled, position, self._tail(turn))
        if len(cuts) > 1:
            head = self._begin([cuts[0].passage], Urgency.CANDIDATE)
            head.start, turn.settled = turn.settled, cuts[0].end
            turn.heads.append(head)

    async def certainly(self, ask: Ask) -> Recognition:
        """The answer, with the parts asked again that gave way to others' finals before.

        Raises PoolOverloaded or RecognitionFailed, and HandBack as the transcriptions do.
        """
        answers: list[Recognition] = []
        for part in (*ask.heads, ask):
            try:
                answers.append(await part.transcription.result())
            except RecognitionLost:
                raise
            except (PoolOverloaded, RecognitionFailed):
                answers.append(await self._begin(part.passages, Urgency.FINAL).transcription.result())
        return joined(answers)

    def _begin(self, asked: Sequence[Passage], urgency: Urgency, so_far: SoFar | None = None) -> Ask:
        return Ask(self._transcriber.begin(asked, urgency, so_far), asked)

    def _tail(self, turn: OpenTurn) -> int:
        """Samples after the last voice: more for one who is to say, by the silence, that the turn is over."""
        return LONG_GAP if self.followed and not turn.unfollowed else MARGIN

    def _cut(self, start: int, end: int, tail: int) -> list[Cut]:
        hearing, wanted = self._hearing, self.wanted
        return passages(
            hearing.recording,
            hearing.voice,
            start,
            end,
            language=wanted.language,
            prompt=wanted.prompt,
            tail=tail,
        )


def _passages(cuts: Sequence[Cut]) -> list[Passage]:
    return [cut.passage for cut in cuts]
