"""The call's end of the Moshi leg."""

from __future__ import annotations

from dialtone.v1.ears_pb2 import AudioProgress, EarsInput
from dialtone.v1.moshi_pb2 import MoshiLeg, MoshiResume

from .context import MOSHI, Context
from .formats import audio_format
from .leg_link import LegLink


class MoshiLink(LegLink):
    """A new Moshi knows nothing of the call. It is warmed up with the last that was heard, and lives from
    there: what nobody has heard is still heard, unless that would make it late by more than the warm-up."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, ahead_us=context.limits.moshi_ahead_us)
        self._output = context.config.audio.output.format
        self._farthest_us = 0  # that any attempt has heard

    def _submit(self) -> str:
        self._output = self._ctx.config.audio.output.format
        leg = MoshiLeg(
            model=self._ctx.config.moshi or "",
            format=self._leg_format,
            output_format=audio_format(self._output),
        )
        return self._ctx.submit(MOSHI, moshi=leg).id

    def reconfigure(self) -> None:
        super().reconfigure()
        output = self._ctx.config.audio.output.format
        if self.lease_id and output != self._output:
            self._output = output
            self._put(EarsInput(start_us=self.input_us, output_format=audio_format(output)))

    def heard(self, progress: AudioProgress) -> None:
        self._farthest_us = max(self._farthest_us, min(progress.audio_us, self.input_us))
        super().heard(progress)

    def _needed_from_us(self, heard_us: int) -> int:
        return heard_us - self._ctx.limits.moshi_warm_us

    def resume(self, *, next_utterance: int) -> MoshiResume:
        """Where a new attempt starts; `replay` sends it what it needs."""
        warm_us = self._ctx.limits.moshi_warm_us
        live_us = max(self._farthest_us, self.input_us - warm_us)
        while self._first_ends_by(live_us - warm_us):
            self._drop_first()
        self._begin_again()
        return MoshiResume(
            start_us=self._heard_us,
            next_seq=self._heard_seq,
            live_us=max(live_us, self._heard_us),
            next_utterance=next_utterance,
            output_format=audio_format(self._output),
        )
