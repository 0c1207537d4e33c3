"""Where turns begin and end in one stream, from what the voice tracker hears.

Pure: no clock but the samples, no I/O. Positions are samples at 16 kHz since the stream began.
"""

from __future__ import annotations

from dataclasses import dataclass

from dialtone.vad_asr.policy import TurnPolicy
from dialtone.vad_asr.turn_end import TurnEnd
from dialtone.vad_asr.vad.tracker import VoiceTracker

_ONSET_AT_MOST = 4_800  # samples after the prefix, until a resumed turn's voice must be heard again


@dataclass(frozen=True, slots=True)
class Started:
    """A turn begins at `start`, prefix padding included."""

    start: int


@dataclass(frozen=True, slots=True)
class Sustained:
    """The turn has been speech for as long as the policy says: a word, not a cough."""


@dataclass(frozen=True, slots=True)
class Paused:
    """A silence that may become the endpoint; the voice ended at `speech_end`."""

    speech_end: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The speaker goes on: the last pause was none."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The turn is over: silence followed `speech_end` until `end`, or it reached its longest."""

    end: int
    speech_end: int


Boundary = Started | Sustained | Paused | Resumed | Stopped


class Endpointer:
    """Finds the boundaries; fed by `advance` after every step of the tracker."""

    def __init__(self, policy: TurnPolicy, max_turn: int, start: int = 0) -> None:
        self.policy = policy
        self._max_turn = max_turn
        self._earliest = start  # no turn reaches behind this
        self.start = start
        self._known_voice = start
        self._onset = start
        self._sustained = False
        self._paused = False
        self._pauses = 0
        self._sounds: TurnEnd | None = None  # what was said before the pause that goes on
        self._told: int | None = None  # up to where the recogniser had heard when it said: over
        self.in_turn = False

    def judge(self, sounds: TurnEnd) -> None:
        """The words before the pause that goes on are known: it is to last as long as they ask for."""
        if self._paused:
            self._sounds = sounds

    def tell(self, heard: int) -> None:
        """The recogniser, having heard the turn up to `heard`, says that it is over: so it is at the next
        step, unless a voice is heard there or was after `heard`."""
        if self.policy.told and self.in_turn:
            self._told = heard

    def resume(self, start: int) -> None:
        """Goes on inside a turn whose start was announced before.

        The voice that began it is known of though it was not heard here: it follows the prefix.
        """
        self.in_turn = True
        self.start = start
        self._known_voice = start + self.policy.prefix + _ONSET_AT_MOST
        self._onset = start + self.policy.prefix

    def close(self, position: int) -> None:
        """Something else ended the turn or dropped the audio up to `position`."""
        self.in_turn = False
        self._told = None
        self._end_pause()
        self._pauses = 0
        self._sustained = False
        self._earliest = position

    def advance(self, tracker: VoiceTracker) -> list[Boundary]:
        """The boundaries that the tracker's last step revealed."""
        if not self.in_turn:
            return self._begin(tracker) if self.policy.automatic else []
        boundaries = self._lasting(tracker)
        if tracker.voiced:
            self._told = None
            if self._paused:
                self._end_pause()
                boundaries.append(Resumed())
        elif self.policy.automatic:
            boundaries += self._in_silence(tracker)
        if self.in_turn and tracker.position - self.start >= self._max_turn:
            boundaries.append(self._stop(tracker))
        return boundaries

    def _begin(self, tracker: VoiceTracker) -> list[Boundary]:
        # The voice may have begun in the turn before, where that was cut at its longest.
        if tracker.onset is None:
            return []
        self.in_turn = True
        self._onset = tracker.onset
        self.start = self._known_voice = max(tracker.onset - self.policy.prefix, self._earliest)
        return [Started(self.start), *self._lasting(tracker)]

    def _lasting(self, tracker: VoiceTracker) -> list[Boundary]:
        wanted = self.policy.sustained
        if not wanted or self._sustained or tracker.last_voiced - self._onset < wanted:
            return []
        self._sustained = True
        return [Sustained()]

    def _in_silence(self, tracker: VoiceTracker) -> list[Boundary]:
        silence = tracker.position - max(tracker.last_voiced, self._known_voice)
        if silence >= self._silence() or (self._told is not None and tracker.last_voiced <= self._told):
            return [self._stop(tracker)]
        if not self._paused and self.policy.pause and silence >= self._pause():
            self._paused = True
            self._pauses += 1
            return [Paused(tracker.last_voiced)]
        return []

    def _silence(self) -> int:
        if self._sounds is None or self.policy.patience is None:
            return self.policy.silence
        return self.policy.patience[self._sounds]

    def _end_pause(self) -> None:
        self._paused = False
        self._sounds = None

    def _pause(self) -> int:
        if self.policy.patience is not None:
            return self.policy.pause  # every pause is judged by its words
        # Half as long again after every pause that was none: a slow speaker costs a few tries at most.
        return int(self.policy.pause * 1.5**self._pauses)

    def _stop(self, tracker: VoiceTracker) -> Stopped:
        end = tracker.position
        speech_end = min(max(tracker.last_voiced, self.start), end)
        self.close(end)
        return Stopped(end, speech_end)
