"""The call's end of the ears leg."""

from __future__ import annotations

from dialtone.v1.ears_pb2 import ClearInput, CommitInput, EarsConfig, EarsInput, EarsLeg, EarsResume

from .context import ASR, Context
from .formats import ears_config
from .interruption import Threshold
from .leg_link import LegLink


class EarsLink(LegLink):
    """New ears need the input of a turn that has not come to its words (`keep_from`), and while nobody speaks
    what no ears have heard yet, with some moments before.

    A call that Moshi answers may have no ears: its audio is passed over then.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context, ahead_us=context.limits.ears_ahead_us)
        self._keep_from_us = 0
        self._in_turn = False
        self._config_sent: EarsConfig | None = None
        self.passed_us = 0  # input before this was for no ears
        self.given_up = False  # none could be had

    def config(self) -> EarsConfig:
        config, limits = self._ctx.config, self._ctx.limits
        return ears_config(config, limits.candidate_pause_ms, Threshold.of(config, limits))

    def _submit(self) -> str:
        self._config_sent = self.config()
        return self._ctx.submit(ASR, ears=EarsLeg(format=self._leg_format, config=self._config_sent)).id

    # --- inputs ---

    def pass_over(self, audio: bytes) -> None:
        """Audio that no ears are to hear."""
        self._move_on(len(audio))
        self.passed_us = self.input_us

    def give_up(self) -> None:
        """There are no ears to be had: what comes from here on is passed over."""
        self._ctx.cancel([self.lease_id])
        self.lease_id, self.given_up = "", True
        self._kept.clear()
        self._unsent = self._never_sent = self._heard_seq = self._next_seq
        self.unheard_since = None
        self.passed_us = self.input_us

    def commit(self, utterance: int) -> None:
        self._put(EarsInput(start_us=self.input_us, commit=CommitInput(utterance=utterance)))

    def clear(self) -> None:
        self._put(EarsInput(start_us=self.input_us, clear=ClearInput()))

    def reconfigure(self) -> None:
        super().reconfigure()
        config = self.config()
        if self.lease_id and config != self._config_sent:
            self._config_sent = config
            self._put(EarsInput(start_us=self.input_us, config=config))

    def audio_between(self, start_us: int, end_us: int) -> bytes:
        """The input of this stretch, in the present format; empty when it is not all there any more, or
        began in another format."""
        frames = [kept for kept in self._kept if kept.HasField("audio") and kept.start_us < end_us]
        first = max((at for at, frame in enumerate(frames) if frame.start_us <= start_us), default=None)
        if first is None or frames[first].start_us < self._format_start_us:
            return b""
        audio = b"".join(frame.audio for frame in frames[first:])
        begins_us = frames[first].start_us
        return audio[self._bytes_of(start_us - begins_us) : self._bytes_of(end_us - begins_us)]

    def _bytes_of(self, us: int) -> int:
        """Audio of this length in the present format, in whole samples."""
        samples = us * self._format.sample_rate // 1_000_000
        return samples * (self._format.bytes_per_second // self._format.sample_rate)

    # --- what is kept ---

    def keep_from(self, audio_us: int, *, in_turn: bool) -> None:
        """Input before this is settled. `in_turn`: all after it belongs to somebody's turn."""
        self._keep_from_us, self._in_turn = audio_us, in_turn
        self._trim()

    def _needed_from_us(self, heard_us: int) -> int:
        limits, oldest = self._ctx.limits, self._keep_from_us
        # What is committed by hand may be all of it.
        if not (self._in_turn or self._ctx.config.commits_by_hand):
            oldest = max(oldest, heard_us - limits.replay_idle_us)
        return max(oldest, heard_us - limits.replay_us)

    # --- leases ---

    def resume(self, *, next_utterance: int, speech_start_us: int | None) -> EarsResume:
        """Where a new attempt starts; `replay` sends it what it missed."""
        self._begin_again()
        return EarsResume(
            start_us=self._heard_us,
            next_seq=self._heard_seq,
            next_utterance=next_utterance,
            in_speech=speech_start_us is not None,
            speech_start_us=speech_start_us or 0,
            config=self._config_sent,
        )
