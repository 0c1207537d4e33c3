"""What a worker of each stage may say of its work; all else that comes under its lease is passed over."""

from __future__ import annotations

from .context import ASR, LLM, TTS

SAYS = {
    ASR: frozenset(
        {
            *("speech_started", "speech_sustained", "speech_stopped", "transcript"),
            *("progress", "replay", "leg_done", "released"),
        }
    ),
    LLM: frozenset({"text", "tool_call", "turn_done", "released"}),
    TTS: frozenset({"audio", "sentence_done", "released"}),
}
