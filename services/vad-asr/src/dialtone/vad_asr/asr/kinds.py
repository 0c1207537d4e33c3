"""The kinds of recognisers, by the names that entries of the registry give."""

from __future__ import annotations

from collections.abc import Mapping

from dialtone.vad_asr.asr.backend import AsrBackend
from dialtone.vad_asr.asr.backends.deepgram import DeepgramBackend
from dialtone.vad_asr.asr.backends.gemini import GeminiBackend
from dialtone.vad_asr.asr.backends.openai import OpenAiBackend
from dialtone.vad_asr.asr.backends.whisper import WhisperBackend
from dialtone.vad_asr.asr.entry import AsrEntry

VENDORS: Mapping[str, type[DeepgramBackend] | type[GeminiBackend] | type[OpenAiBackend]] = {
    backend.name: backend for backend in (OpenAiBackend, DeepgramBackend, GeminiBackend)
}
KINDS: Mapping[str, type[AsrBackend]] = {WhisperBackend.name: WhisperBackend, **VENDORS}


def new_backend(entry: AsrEntry, local: WhisperBackend | None) -> AsrBackend:
    """Make the backend of an entry; `local` is that of the model here, where it is loaded."""
    if entry.backend == WhisperBackend.name:
        assert local is not None, "the local model was not loaded"
        return local
    return VENDORS[entry.backend](entry)
