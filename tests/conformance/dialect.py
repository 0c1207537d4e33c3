"""The two forms of the Realtime protocol, as the `openai` SDK speaks them.

Scenarios are written once, with GA's names of events and fields; a dialect says what they are called on its
wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from openai import AsyncOpenAI

Modality = Literal["text", "audio"]
AudioFormat = Literal["pcm", "pcmu", "pcma"]

_BETA_NAMES = {
    "response.output_text": "response.text",
    "response.output_audio": "response.audio",
    "response.output_audio_transcript": "response.audio_transcript",
}


@dataclass(frozen=True, slots=True)
class Setup:
    """What a scenario asks of a session; a field that is left as it is stands at the server's default."""

    modality: Modality | None = None
    instructions: str | None = None
    transcription: Mapping[str, str] | None = None
    turn_detection: Mapping[str, Any] | None = field(default_factory=lambda: {"type": "server_vad"})
    input_format: AudioFormat | None = None
    output_format: AudioFormat | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    voice: str | None = None


class Ga:
    """`client.realtime`."""

    name = "ga"
    transcription_updated = "session.updated"

    def connect(self, client: AsyncOpenAI, **options: Any) -> Any:
        return client.realtime.connect(**options)

    def wire(self, kind: str) -> str:
        """The event's name on the wire."""
        return kind

    def audio_format(self, form: AudioFormat) -> dict[str, Any]:
        """What the format is called."""
        return {"type": "audio/pcm", "rate": 24_000} if form == "pcm" else {"type": f"audio/{form}"}

    def session(self, setup: Setup) -> dict[str, Any]:
        """The member `session` of a session.update."""
        heard: dict[str, Any] = {"turn_detection": setup.turn_detection}
        spoken: dict[str, Any] = {}
        if setup.transcription is not None:
            heard["transcription"] = setup.transcription
        if setup.input_format:
            heard["format"] = self.audio_format(setup.input_format)
        if setup.output_format:
            spoken["format"] = self.audio_format(setup.output_format)
        if setup.voice:
            spoken["voice"] = setup.voice
        session: dict[str, Any] = {"type": "realtime", "audio": {"input": heard, "output": spoken}}
        if setup.modality:
            session["output_modalities"] = [setup.modality]
        return session | _common(setup)

    def response(self, modality: Modality, **more: Any) -> dict[str, Any]:
        """The member `response` of a response.create."""
        return {"output_modalities": [modality], **more}

    def assistant(self, text: str) -> dict[str, str]:
        """A part of the assistant's, as clients replay it."""
        return {"type": "output_text", "text": text}

    def transcription_session(self, **audio_input: Any) -> dict[str, Any]:
        """The event that sets up a transcription session."""
        session = {"type": "transcription", "audio": {"input": audio_input}}
        return {"type": "session.update", "session": session}


class Beta:
    """`client.beta.realtime`, which sends `OpenAI-Beta: realtime=v1`."""

    name = "beta"
    transcription_updated = "transcription_session.updated"

    def connect(self, client: AsyncOpenAI, **options: Any) -> Any:
        return client.beta.realtime.connect(**options)

    def wire(self, kind: str) -> str:
        """The event's name on the wire."""
        if kind == "conversation.item.added":
            return "conversation.item.created"
        stem, dot, verb = kind.rpartition(".")
        return f"{_BETA_NAMES.get(stem, stem)}{dot}{verb}"

    def audio_format(self, form: AudioFormat) -> str:
        """What the format is called."""
        return {"pcm": "pcm16", "pcmu": "g711_ulaw", "pcma": "g711_alaw"}[form]

    def session(self, setup: Setup) -> dict[str, Any]:
        """The member `session` of a session.update."""
        session: dict[str, Any] = {"turn_detection": setup.turn_detection}
        if setup.modality:
            session["modalities"] = _beta_modalities(setup.modality)
        if setup.transcription is not None:
            session["input_audio_transcription"] = setup.transcription
        if setup.input_format:
            session["input_audio_format"] = self.audio_format(setup.input_format)
        if setup.output_format:
            session["output_audio_format"] = self.audio_format(setup.output_format)
        if setup.voice:
            session["voice"] = setup.voice
        return session | _common(setup)

    def response(self, modality: Modality, **more: Any) -> dict[str, Any]:
        """The member `response` of a response.create."""
        return {"modalities": _beta_modalities(modality), **more}

    def assistant(self, text: str) -> dict[str, str]:
        """A part of the assistant's, as clients replay it."""
        return {"type": "text", "text": text}

    def transcription_session(self, **audio_input: Any) -> dict[str, Any]:
        """The event that sets up a transcription session."""
        names = {"transcription": "input_audio_transcription", "format": "input_audio_format"}
        flat = {names.get(name, name): value for name, value in audio_input.items()}
        return {"type": "transcription_session.update", "session": flat}


Dialect = Ga | Beta


def named(value: Dialect | str) -> str:
    """The part of a test's id that stands for this."""
    return value if isinstance(value, str) else value.name


def _beta_modalities(modality: Modality) -> list[str]:
    return ["text"] if modality == "text" else ["audio", "text"]


def _common(setup: Setup) -> dict[str, Any]:
    common: dict[str, Any] = {}
    if setup.instructions is not None:
        common["instructions"] = setup.instructions
    if setup.tools:
        common["tools"] = list(setup.tools)
    return common
