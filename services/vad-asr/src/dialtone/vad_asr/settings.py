"""What the ears are told by their environment; a variable is its field's name in upper case."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from dialtone.settings import ServiceSettings
from dialtone.vad_asr.policy import Engine, LegLimits, TurnDefaults


class EarsSettings(ServiceSettings):
    """Settings of a vad-asr worker."""

    stages: Literal["real", "simulated"] = "real"
    """`simulated`: real voice activity detection, but a fixed answer 100 ms after each turn."""
    ears_slots: int = Field(default=100, ge=1)
    """Calls that one process listens to at once."""

    asr_models: str = ""
    """The registry of recognisers: a TOML or JSON file, or JSON itself; name or pattern -> AsrEntry, or a
    list of such names, of which the first that can answer does. Goes before what the variables below add."""
    asr_default_model: str = "whisper"
    """Names of the registry, separated by commas, for sessions that name no model, "default", or one of
    OpenAI's that is not served here: the first that can answer does."""
    asr_openai_api_key: SecretStr = SecretStr("")
    """It or the URL serves `openai`, `openai/*`, `gpt-*` and `whisper-1`."""
    asr_openai_base_url: str = ""
    asr_openai_model: str = "gpt-transcribe"
    """What `openai` stands for."""
    deepgram_api_key: SecretStr = SecretStr("")
    """Serves `deepgram`, `deepgram/*` and `nova-*`."""
    deepgram_base_url: str = ""
    deepgram_model: str = "nova-3"
    gemini_api_key: SecretStr = SecretStr("")
    """Serves `gemini` and `gemini-*`."""
    gemini_base_url: str = ""
    gemini_model: str = "gemini-3.8-flash"

    asr_model: str = "whisper-base"
    """What `whisper` stands for: a name of the model manifest or the folder of a converted Whisper model."""
    asr_languages: str = "en,zh"
    """ISO 639-1 codes that language detection chooses from; empty: all that the model knows."""
    asr_device: Literal["auto", "cpu", "cuda"] = "auto"
    asr_compute_type: str = "default"
    """CTranslate2's; `default` is int8 on a CPU and int8_float16 on a GPU."""
    asr_threads: int = Field(default=1, ge=1)
    """Threads of one inference; short windows gain little from a second one."""
    asr_workers: int = Field(default=1, ge=1)
    """Inferences at once."""
    asr_beam: int = Field(default=2, ge=1, le=10)
    """Hypotheses kept while decoding: two err a sixth less than one for a few per cent more time."""
    asr_queue: int = Field(default=32, ge=1)
    """Passages that may wait; beyond it guesses are given up, then finals fail as overloaded."""
    asr_batch: int = Field(default=0, ge=0)
    """Passages that wait and are then recognised together; 0: 16 on a GPU, 4 on a CPU."""
    asr_max_wait_s: float = Field(default=10.0, gt=0)
    asr_step_timeout_s: float = Field(default=8.0, gt=0)
    """A recognition that takes this long, and half as long as its audio, hangs: its process is replaced."""

    vad_engine: Engine = Engine.WEBRTC
    vad_model: str = "silero-vad"
    vad_frame_ms: Literal[10, 20, 30] = 30
    """Frame of webrtcvad."""
    vad_step_timeout_s: float = Field(default=1.0, gt=0)
    """A question to the network that takes this long hangs: its process is replaced."""
    vad_threshold: float = Field(default=0.5, gt=0, lt=1)
    vad_silence_ms: int = Field(default=750, gt=0)
    vad_early_pause_ms: int = Field(default=200, ge=0)
    """Pause after which recognition starts ahead of the endpoint, at most half of the silence; 0: never."""
    semantic_low_ms: int = Field(default=1_500, gt=0)
    """Silence that ends a turn under semantic turn detection where the words before it are not known."""
    semantic_medium_ms: int = Field(default=900, gt=0)
    semantic_high_ms: int = Field(default=600, gt=0)

    max_turn_s: float = Field(default=300.0, gt=1)
    """A turn that does not end by itself is ended after this long."""
    manual_buffer_s: float = Field(default=600.0, gt=1)
    """Audio that waits for a commit, without turn detection; older audio is dropped."""
    idle_buffer_s: float = Field(default=30.0, gt=1)

    @property
    def languages(self) -> list[str]:
        return [code.strip() for code in self.asr_languages.split(",") if code.strip()]

    def turn_defaults(self) -> TurnDefaults:
        return TurnDefaults(
            engine=self.vad_engine,
            threshold=self.vad_threshold,
            silence_ms=self.vad_silence_ms,
            low_eagerness_ms=self.semantic_low_ms,
            medium_eagerness_ms=self.semantic_medium_ms,
            high_eagerness_ms=self.semantic_high_ms,
            early_pause_ms=self.vad_early_pause_ms,
        )

    def leg_limits(self) -> LegLimits:
        return LegLimits(
            max_turn=self.max_turn_s, kept_idle=self.idle_buffer_s, kept_manual=self.manual_buffer_s
        )
