"""Work on a recording that is all there: what was said in it, in one final transcript."""

from __future__ import annotations

from dialtone.bus import Lease
from dialtone.v1.ears_pb2 import EarsConfig, Transcript, TurnDetection
from dialtone.vad_asr.asking import Asking
from dialtone.vad_asr.asr.pool import Urgency
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE
from dialtone.vad_asr.finals import send_final
from dialtone.vad_asr.hearing import Hearing, NewTracker
from dialtone.vad_asr.policy import TurnDefaults, TurnPolicy
from dialtone.vad_asr.transcriber import Transcriber
from dialtone.vad_asr.turnstile import Turnstile

_MANUAL = EarsConfig(turn_detection=TurnDetection(mode=TurnDetection.MODE_MANUAL))


async def hear_recording(
    lease: Lease,
    transcriber: Transcriber,
    new_tracker: NewTracker,
    turnstile: Turnstile,
    defaults: TurnDefaults,
) -> None:
    """Heard as a turn that its client commits: the recogniser is asked about what is voice in it, in
    passages. Raises UnsupportedFormat."""
    work = lease.work.recording
    whole = len(work.audio) * 2 + SAMPLE_RATE  # at most: a byte of G.711 is two samples
    hearing = Hearing(
        work.format,
        TurnPolicy.of(_MANUAL, defaults),
        new_tracker,
        start_us=0,
        max_turn=whole,
        kept_idle=whole,
        kept_manual=whole,
    )
    await turnstile.enter()
    async for _ in hearing.hear(work.audio):
        await turnstile.breathe()
    async for _ in hearing.finish():
        await turnstile.breathe()
    asking = Asking(hearing, transcriber, work.transcription)
    ask = asking.about(0, hearing.position, Urgency.FINAL)
    final = Transcript(kind=Transcript.KIND_FINAL, audio_end_us=hearing.clock_us(hearing.position))
    try:
        await send_final(lease, asking, final, ask)
    finally:
        ask.transcription.cancel()
