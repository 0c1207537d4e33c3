"""What a worker of each stage may say of its work; all else that comes under its lease is passed over."""

from __future__ import annotations

from .context import ASR, LLM, MOSHI, TTS

_OF_LEGS = ("progress", "replay", "leg_done", "released")
SAYS = {
    ASR: frozenset({"speech_started", "speech_sustained", "speech_stopped", "transcript", *_OF_LEGS}),
    LLM: frozenset({"text", "tool_call", "turn_done", "released"}),
    TTS: frozenset({"audio", "sentence_done", "released"}),
    MOSHI: frozenset({"saying_started", "saying_audio", "saying_text", "saying_stopped", *_OF_LEGS}),
}
