"""Loads what the ears need, warms it up, and makes the handler of ears leases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np

from dialtone.audio import UnsupportedFormat
from dialtone.bus import Lease, WorkError
from dialtone.models import ModelMissing, locate
from dialtone.telemetry import bind_call, get_logger
from dialtone.vad_asr.asr.pool import InferencePool
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, Passage, Recognizer
from dialtone.vad_asr.asr.whisper import ShortWindowWhisper
from dialtone.vad_asr.leg import EarsLeg
from dialtone.vad_asr.policy import Engine, TurnPolicy
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.simulated import SimulatedTranscriber
from dialtone.vad_asr.transcriber import PooledTranscriber, Transcriber
from dialtone.vad_asr.turnstile import Turnstile
from dialtone.vad_asr.vad.level import LevelGate
from dialtone.vad_asr.vad.silero import CHUNK_BYTES, SileroGate, SileroModel
from dialtone.vad_asr.vad.tracker import Gate, VoiceTracker
from dialtone.vad_asr.vad.webrtc import WebRtcFlags
from dialtone.vad_asr.whole_recording import hear_recording
from dialtone.worker import Loaded

log = get_logger(__name__)

_BATCH = {"cuda": 16, "cpu": 4}


@dataclass(frozen=True, slots=True)
class Ears:
    """The handler of the stage's leases, with what all of them share."""

    settings: EarsSettings
    new_gate: Callable[[], Gate]
    new_transcriber: Callable[[], Transcriber]
    close: Callable[[], Awaitable[None]]
    turnstile: Turnstile = field(default_factory=Turnstile)

    async def handle(self, lease: Lease) -> None:
        """Serves one leg, or hears one recording. Raises WorkError for work that is none of the ears'."""
        bind_call(call_id=lease.call_id, session_id=lease.work.session_id)
        common = (
            lease,
            self.new_transcriber(),
            self.new_tracker,
            self.turnstile,
            self.settings.turn_defaults(),
        )
        try:
            match lease.work.WhichOneof("body"):
                case "ears":
                    log.info("listening", attempt=lease.attempt)
                    await EarsLeg(*common, self.settings.leg_limits()).run()
                case "recording":
                    await hear_recording(*common)
                case _:
                    raise WorkError("wrong_stage", "this worker takes ears legs and recordings only")
        except UnsupportedFormat as error:
            raise WorkError("unsupported_format", str(error)) from error

    def new_tracker(self, policy: TurnPolicy, position: int) -> VoiceTracker:
        """The voice tracker that a policy asks for, from that position on."""
        webrtc = None
        if policy.engine is Engine.WEBRTC:
            webrtc = WebRtcFlags(policy.aggressiveness, self.settings.vad_frame_ms)
        return VoiceTracker(self.new_gate(), policy.threshold, webrtc, position)


async def load_ears(settings: EarsSettings) -> Ears:
    """Loads and warms up the models, off the event loop. Raises ModelMissing."""
    new_gate = await asyncio.to_thread(_gates, settings)
    if settings.stages == "simulated":
        return Ears(settings, new_gate, SimulatedTranscriber, _nothing_to_close)
    whisper = await asyncio.to_thread(_whisper, settings)
    pool = InferencePool(
        whisper,
        workers=settings.asr_workers,
        queue_limit=settings.asr_queue,
        batch_size=settings.asr_batch or _BATCH[whisper.device],
        max_wait_s=settings.asr_max_wait_s,
    )
    pool.start()
    return Ears(settings, new_gate, lambda: PooledTranscriber(pool), pool.close)


async def load(settings: EarsSettings) -> Loaded:
    """What `run_worker` wants to know."""
    ears = await load_ears(settings)
    return Loaded(handler=ears.handle, slots=settings.ears_slots, close=ears.close)


def _gates(settings: EarsSettings) -> Callable[[], Gate]:
    try:
        folder = locate(settings.vad_model, settings.models_dir)
    except ModelMissing as missing:
        if settings.stages != "simulated":
            raise
        log.warning("no Silero VAD: noise is taken for speech", reason=str(missing))
        return LevelGate
    model_path = folder if folder.is_file() else next(folder.glob("*.onnx"))
    model = SileroModel(model_path)
    SileroGate(model).probability(bytes(CHUNK_BYTES))
    return lambda: SileroGate(model)


def _whisper(settings: EarsSettings) -> ShortWindowWhisper:
    whisper = ShortWindowWhisper(
        locate(settings.asr_model, settings.models_dir),
        languages=settings.languages,
        device=settings.asr_device,
        compute_type=settings.asr_compute_type,
        threads=settings.asr_threads,
        workers=settings.asr_workers,
        beam_size=settings.asr_beam,
    )
    warm_up(whisper)
    log.info("recogniser loaded", model=settings.asr_model, device=whisper.device)
    return whisper


def warm_up(recognizer: Recognizer) -> None:
    """Runs the model once: the first inference allocates, and takes several times as long."""
    hum = (np.sin(np.arange(2 * SAMPLE_RATE) * 0.05) * 3_000).astype(np.int16)
    recognizer.recognize([Passage(hum, voiced_us=2_000_000)])


async def _nothing_to_close() -> None:
    return
