"""Configuration of a session, in the shape of the GA Realtime protocol.

Field names, nesting and defaults are those of the protocol's session object; what it has no place
for stands under `dialtone`. A configuration is a value: an update makes a new one.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

# Models of this name, and of this name with a variant behind it, answer speech to speech.
MOSHI, MOSHI_DEFAULT = "moshi", "sft"

FormatName = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]


class AudioFormat(msgspec.Struct, frozen=True):
    """Audio on a client's socket: 16-bit little-endian PCM, or 8 kHz G.711; always mono."""

    type: FormatName = "audio/pcm"
    rate: int | msgspec.UnsetType = msgspec.UNSET  # Hz; of PCM only

    @property
    def sample_rate(self) -> int:
        """Hz; 24 kHz for PCM that names no rate."""
        if self.type != "audio/pcm":
            return 8_000
        return self.rate or 24_000

    @property
    def bytes_per_second(self) -> int:
        return self.sample_rate * (2 if self.type == "audio/pcm" else 1)


PCM_24K = AudioFormat("audio/pcm", 24_000)
PCM_16K = AudioFormat("audio/pcm", 16_000)


class ServerVad(msgspec.Struct, frozen=True, tag_field="type", tag="server_vad"):
    """The turn ends after `silence_duration_ms` without speech."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500
    idle_timeout_ms: int | None = None
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(msgspec.Struct, frozen=True, tag_field="type", tag="semantic_vad"):
    """The turn ends when what was said sounds complete."""

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


TurnDetection = ServerVad | SemanticVad


class Transcription(msgspec.Struct, frozen=True, omit_defaults=True):
    model: str | None = None
    language: str | None = None
    prompt: str | None = None


class NoiseReduction(msgspec.Struct, frozen=True):
    type: Literal["near_field", "far_field"]


class AudioInput(msgspec.Struct, frozen=True):
    format: AudioFormat = PCM_24K
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None
    turn_detection: TurnDetection | None = ServerVad()


class AudioOutput(msgspec.Struct, frozen=True):
    format: AudioFormat = PCM_24K
    voice: str = "alloy"
    speed: float = 1.0


class Audio(msgspec.Struct, frozen=True):
    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class FunctionTool(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    name: str
    description: str = ""
    parameters: dict[str, Any] = {}


class FunctionChoice(msgspec.Struct, frozen=True, tag_field="type", tag="function"):
    name: str


ToolChoice = Literal["auto", "none", "required"] | FunctionChoice


class Extensions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What Dialtone can do beyond the protocol; absent members take the workers' defaults."""

    temperature: float | None = None
    top_p: float | None = None
    # Voice parameters of VITS models.
    language: str | None = None
    speaker_id: str | None = None
    noise_scale: float | None = None
    noise_scale_w: float | None = None
    length_scale: float | None = None
    # Voice activity detection.
    vad_engine: Literal["webrtc", "silero"] | None = None
    vad_aggressiveness: int | None = None  # webrtcvad mode, 0..3
    # Start answering at a pause of this many ms, before the turn is known to be over; 0 never does.
    candidate_pause_ms: int | None = None
    # What it takes to interrupt an answer, where speech does: this much of it, and so many words;
    # 0 asks for none.
    interrupt_min_speech_ms: int | None = None
    interrupt_min_words: int | None = None
    # Send dialtone.turn.metrics after each response.
    turn_metrics: bool = False
    # Send dialtone.transcription.partial while the user speaks.
    partial_transcripts: bool = False
    # Container of the audio of the voice_call protocol.
    container: Literal["raw", "wav"] = "raw"


def moshi_variant(model: str) -> str | None:
    """The variant of Moshi that a model's name asks for; None: it is no Moshi."""
    family, dash, variant = model.partition("-")
    if family != MOSHI:
        return None
    return variant if dash else MOSHI_DEFAULT


class SessionConfig(msgspec.Struct, frozen=True):
    """`type` is fixed for the life of a session; a transcription session only listens."""

    type: Literal["realtime", "transcription"] = "realtime"
    model: str = "default"
    output_modalities: list[Literal["audio", "text"]] = msgspec.field(default_factory=lambda: ["audio"])
    instructions: str = ""
    audio: Audio = Audio()
    tools: list[FunctionTool] = []
    tool_choice: ToolChoice = "auto"
    max_output_tokens: int | Literal["inf"] = "inf"
    # Whether a model may make several calls at once; only those who set it are shown it.
    parallel_tool_calls: bool | msgspec.UnsetType = msgspec.UNSET
    tracing: Any = None
    truncation: Any = "auto"
    prompt: Any = None
    include: list[str] | None = None
    dialtone: Extensions = Extensions()

    @property
    def listens_only(self) -> bool:
        """Nothing is answered: it is a transcription session."""
        return self.type == "transcription"

    @property
    def moshi(self) -> str | None:
        """The variant of Moshi that answers by itself; None: a text model answers, and a voice speaks."""
        return None if self.listens_only else moshi_variant(self.model)

    @property
    def wants_ears(self) -> bool:
        """What the user says is to be known."""
        heard = self.audio.input
        asked = heard.transcription is not None or heard.turn_detection is not None
        return asked or self.dialtone.partial_transcripts or self.moshi is None

    @property
    def commits_by_hand(self) -> bool:
        """Only the client says where a turn ends. Beside Moshi, which has no turns, nobody does."""
        return self.audio.input.turn_detection is None and (self.moshi is None or not self.wants_ears)

    @property
    def tells_speech(self) -> bool:
        """The client is told when the user begins and ends to speak."""
        return self.audio.input.turn_detection is not None or self.moshi is None

    @property
    def answers_turns(self) -> bool:
        """The end of a turn is answered without being asked."""
        detection = self.audio.input.turn_detection
        answers = not self.listens_only and self.moshi is None
        return answers and detection is not None and detection.create_response

    @property
    def interrupts(self) -> bool:
        """Speech ends the answer that it is over."""
        detection = self.audio.input.turn_detection
        return not self.listens_only and detection is not None and detection.interrupt_response

    @property
    def transcription(self) -> Transcription | None:
        """How the client is told what the user says; None: not at all."""
        asked = self.audio.input.transcription
        return Transcription() if asked is None and self.listens_only else asked
