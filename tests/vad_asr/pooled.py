"""Transcribers that ask a pool, and nobody else."""

from dialtone.vad_asr.asr.backends.whisper import WhisperBackend
from dialtone.vad_asr.asr.entry import AsrEntry
from dialtone.vad_asr.asr.pool import InferencePool
from dialtone.vad_asr.asr.registry import AsrRegistry
from dialtone.vad_asr.transcriber import BackendTranscriber


def pooled(pool: InferencePool) -> BackendTranscriber:
    """As ears with a local model alone make them."""
    lines = {"whisper": AsrEntry(backend="whisper", model="whisper-base")}
    return BackendTranscriber(
        AsrRegistry(lines, ("whisper",), lambda _: WhisperBackend(pool, {"en", "zh", "de"}))
    )
