"""What the session routes take and give, as it stands in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationInfo,
    field_validator,
)

_MAX_TEXT = 65_536
_MAX_MESSAGES = 1000

Text = Annotated[StrictStr, Field(max_length=_MAX_TEXT)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=128)]
Language = Annotated[StrictStr, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$", examples=["en", "zh"])]
Number = Annotated[float, Field(strict=True)]  # whole numbers too, but no text
Milliseconds = Annotated[StrictInt, Field(ge=0, le=10_000)]
SampleRate = Annotated[StrictInt, Field(ge=8_000, le=48_000)]


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class LlmSettings(_Schema):
    model: Name = "default"
    """A name of the llm service's model registry."""
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = None
    """Most tokens of one answer; null sets no limit."""


class TtsSettings(_Schema):
    """Members that are null are left to the voice."""

    voice: Name | None = None
    language: Language | None = None
    """Of the answers; null detects it from the text."""
    speaker_id: Annotated[StrictInt, Field(ge=0)] | Name | None = None
    """One speaker of a voice with several: a number or a name."""
    noise_scale: Annotated[Number, Field(ge=0, le=2)] | None = None
    """Variation of the sound."""
    noise_scale_w: Annotated[Number, Field(ge=0, le=2)] | None = None
    """Variation of the rhythm."""
    length_scale: Annotated[Number, Field(ge=0.25, le=4)] | None = None
    """2 speaks at half the speed."""


class TurnDetection(_Schema):
    """How the end of a turn is found."""

    type: Literal["server_vad", "semantic_vad"] = "server_vad"
    """`server_vad`: by silence. `semantic_vad`: when what was said sounds complete."""
    engine: Literal["webrtc", "silero"] | None = None
    """The voice activity detector."""
    aggressiveness: Annotated[StrictInt, Field(ge=0, le=3)] | None = None
    """Mode of the webrtc engine: 3 takes the least for speech."""
    threshold: Annotated[Number, Field(ge=0, le=1)] = 0.5
    """Probability from which a frame counts as speech."""
    prefix_padding_ms: Milliseconds = 300
    """Audio kept from before the detected start of speech."""
    silence_duration_ms: Annotated[StrictInt, Field(ge=30, le=10_000)] = 750
    """Silence that ends the turn."""
    idle_timeout_ms: Annotated[StrictInt, Field(ge=1_000, le=3_600_000)] | None = None
    """Silence after an answer, after which the assistant speaks up; null: never."""
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    """Of `semantic_vad`: how soon it takes a turn for complete."""
    candidate_pause_ms: Milliseconds | None = None
    """Pause after which the answer is begun on suspicion; 0 never; null: the gateway's setting."""
    create_response: StrictBool = True
    interrupt_response: StrictBool = True
    """Whether speech of the user ends the answer that is being given."""

    @field_validator("threshold", "prefix_padding_ms", "silence_duration_ms", "idle_timeout_ms")
    @classmethod
    def _of_server_vad(cls, value: float | None, info: ValidationInfo) -> float | None:
        if info.data.get("type") == "semantic_vad":
            raise ValueError("belongs to server_vad, not to semantic_vad")
        return value

    @field_validator("eagerness")
    @classmethod
    def _of_semantic_vad(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("type") == "server_vad":
            raise ValueError("belongs to semantic_vad, not to server_vad")
        return value


class Transcription(_Schema):
    model: Name | None = None
    """Null: the default of the vad-asr service."""
    language: Annotated[StrictStr, Field(pattern=r"^[a-z]{2,3}$", examples=["en", "zh"])] | None = None
    """What the user speaks; null detects it."""
    prompt: Annotated[StrictStr, Field(max_length=2048)] | None = None
    """Words that the user may say, to help recognition."""


class AudioOutput(_Schema):
    rate: SampleRate = 24_000
    """Hz."""
    container: Literal["raw", "wav"] = "raw"
    """Form of the binary audio of the voice_call protocol: bare PCM16, or a WAV file each
    sentence."""


class AudioSettings(_Schema):
    """16-bit mono PCM in both directions."""

    input_rate: SampleRate = 16_000
    """Hz."""
    output: AudioOutput = AudioOutput()


class SessionSettings(_Schema):
    """Settings of a session; absent ones keep their value, or take the default in a new session."""

    instructions: Text = ""
    """What the assistant is told to be; empty: nothing. A new session without it takes the operator's."""
    llm: LlmSettings = LlmSettings()
    tts: TtsSettings = TtsSettings()
    turn_detection: TurnDetection | None = TurnDetection(engine="webrtc", aggressiveness=1)
    """Null: no turn ends by itself, the client commits."""
    transcription: Transcription = Transcription()
    audio: AudioSettings = AudioSettings()


class NewMessage(_Schema):
    role: Literal["system", "user", "assistant"]
    content: Annotated[Text, Field(min_length=1)]


class NewSession(SessionSettings):
    messages: Annotated[list[NewMessage], Field(max_length=_MAX_MESSAGES)] = []
    """The conversation so far. A system message at its start is taken for `instructions` if those are
    not given."""


class FunctionOut(BaseModel):
    name: str
    arguments: str
    """JSON text."""


class ToolCallOut(BaseModel):
    id: str
    type: Literal["function"] = "function"
    function: FunctionOut


class MessageOut(BaseModel):
    """A message as chat APIs have it."""

    id: str
    role: Literal["system", "user", "assistant", "tool"]
    content: str | None
    """What was said or written, as text; null for a call of a tool."""
    status: Literal["in_progress", "completed", "incomplete"]
    tool_calls: list[ToolCallOut] | None = None
    tool_call_id: str | None = None


class SessionSummaryOut(SessionSettings):
    id: str
    object: Literal["session"] = "session"
    type: Literal["realtime", "transcription"]
    """`transcription`: its calls only listen."""
    created_at: int
    """Unix seconds."""


class SessionOut(SessionSummaryOut):
    messages: list[MessageOut]


class SessionListOut(BaseModel):
    """One page, newest first."""

    object: Literal["list"] = "list"
    data: list[SessionSummaryOut]
    has_more: bool
    next: str | None
    """Give this as `after` for the next page; null at the end."""
