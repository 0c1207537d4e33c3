"""Loads what the ears need, warms it up, and makes the handler of ears leases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dialtone.audio import UnsupportedFormat
from dialtone.bus import Lease, WorkError
from dialtone.fence import ModelProcess
from dialtone.models import ModelMissing, locate
from dialtone.telemetry import bind_call, get_logger
from dialtone.vad_asr.asr.backends.whisper import WhisperBackend
from dialtone.vad_asr.asr.fenced import FencedRecognizer, about, whisper_process
from dialtone.vad_asr.asr.kinds import new_backend
from dialtone.vad_asr.asr.pool import InferencePool
from dialtone.vad_asr.asr.recognition import Recognizer
from dialtone.vad_asr.asr.registry import AsrRegistry, lines_of, needs_whisper
from dialtone.vad_asr.leg import EarsLeg
from dialtone.vad_asr.policy import Engine, TurnPolicy
from dialtone.vad_asr.settings import EarsSettings
from dialtone.vad_asr.simulated import SimulatedTranscriber
from dialtone.vad_asr.transcriber import BackendTranscriber, Transcriber
from dialtone.vad_asr.turnstile import Turnstile
from dialtone.vad_asr.vad.detectors import Gate
from dialtone.vad_asr.vad.fenced import FencedNetwork, SileroGate, silero_process
from dialtone.vad_asr.vad.level import LevelGate
from dialtone.vad_asr.vad.silero import Network
from dialtone.vad_asr.vad.tracker import VoiceTracker
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
    models: Sequence[ModelProcess[Any]] = ()
    turnstile: Turnstile = field(default_factory=Turnstile)

    async def handle(self, lease: Lease) -> None:
        """Serves one leg, or hears one recording. Raises WorkError for work that is none of the ears'."""
        bind_call(call_id=lease.call_id, session_id=lease.work.session_id)
        transcriber = self.new_transcriber()
        common = (
            lease,
            transcriber,
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
        finally:
            await transcriber.close()

    def new_tracker(self, policy: TurnPolicy, position: int) -> VoiceTracker:
        """The voice tracker that a policy asks for, from that position on."""
        webrtc = None
        if policy.engine is Engine.WEBRTC:
            webrtc = WebRtcFlags(policy.aggressiveness, self.settings.vad_frame_ms)
        return VoiceTracker(self.new_gate(), policy.threshold, webrtc, position)


async def load_ears(settings: EarsSettings) -> Ears:
    """Loads and warms up the models. Raises ModelMissing, BadRegistry, and what loading them raises."""
    lines, default = lines_of(settings)
    simulated = settings.stages == "simulated"
    async with AsyncExitStack() as opened:
        silero = _silero(settings)
        whisper = whisper_process(settings) if needs_whisper(lines) and not simulated else None
        models: list[ModelProcess[Any]] = [model for model in (silero, whisper) if model is not None]
        for model in models:
            opened.push_async_callback(model.close)
        await asyncio.gather(*(model.start() for model in models))
        new_gate: Callable[[], Gate] = LevelGate
        if silero is not None:
            network = FencedNetwork(silero, settings.vad_step_timeout_s)
            opened.push_async_callback(network.close)
            new_gate = partial(SileroGate, network)
        if simulated:
            return Ears(settings, new_gate, SimulatedTranscriber, opened.pop_all().aclose, models)
        local = None
        if whisper is not None:
            where, languages = await whisper.run(settings.asr_step_timeout_s, about)
            log.info("recogniser loaded", model=settings.asr_model, device=where)
            pool = _pool(whisper, where, settings)
            opened.push_async_callback(pool.close)
            local = WhisperBackend(pool, languages)
        registry = AsrRegistry(lines, default, lambda entry: new_backend(entry, local))
        opened.push_async_callback(registry.close)
        new_transcriber = partial(BackendTranscriber, registry)
        return Ears(settings, new_gate, new_transcriber, opened.pop_all().aclose, models)


def _pool(whisper: ModelProcess[Recognizer], where: str, settings: EarsSettings) -> InferencePool:
    pool = InferencePool(
        FencedRecognizer(whisper, settings.asr_step_timeout_s).recognize,
        workers=settings.asr_workers,
        queue_limit=settings.asr_queue,
        batch_size=settings.asr_batch or _BATCH[where],
        max_wait_s=settings.asr_max_wait_s,
    )
    pool.start()
    return pool


async def load(settings: EarsSettings) -> Loaded:
    """What `run_worker` wants to know."""
    ears = await load_ears(settings)
    return Loaded(handler=ears.handle, slots=settings.ears_slots, close=ears.close, models=ears.models)


def _silero(settings: EarsSettings) -> ModelProcess[Network] | None:
    try:
        return silero_process(locate(settings.vad_model, settings.models_dir))
    except ModelMissing as missing:
        if settings.stages != "simulated":
            raise
        log.warning("no Silero VAD: noise is taken for speech", reason=str(missing))
        return None
