"""Session settings in the form that workers take them."""

from __future__ import annotations

from dialtone.v1.common_pb2 import (
    AUDIO_ENCODING_PCM16,
    AUDIO_ENCODING_PCMA,
    AUDIO_ENCODING_PCMU,
    AudioEncoding,
)
from dialtone.v1.common_pb2 import AudioFormat as AudioFormatMessage
from dialtone.v1.ears_pb2 import EarsConfig, TurnDetection
from dialtone.v1.ears_pb2 import Transcription as TranscriptionMessage
from dialtone.v1.speech_pb2 import Voice

from .interruption import Threshold
from .session import AudioFormat, FormatName, ServerVad, SessionConfig

ENCODINGS: dict[FormatName, AudioEncoding] = {
    "audio/pcm": AUDIO_ENCODING_PCM16,
    "audio/pcmu": AUDIO_ENCODING_PCMU,
    "audio/pcma": AUDIO_ENCODING_PCMA,
}
ENGINES = {
    None: TurnDetection.ENGINE_UNSPECIFIED,
    "webrtc": TurnDetection.ENGINE_WEBRTC,
    "silero": TurnDetection.ENGINE_SILERO,
}
EAGERNESS = {
    "low": TurnDetection.EAGERNESS_LOW,
    "medium": TurnDetection.EAGERNESS_MEDIUM,
    "auto": TurnDetection.EAGERNESS_MEDIUM,
    "high": TurnDetection.EAGERNESS_HIGH,
}
# webrtcvad's mode when the session names none.
DEFAULT_AGGRESSIVENESS = 1


def audio_format(wire: AudioFormat) -> AudioFormatMessage:
    return AudioFormatMessage(encoding=ENCODINGS[wire.type], sample_rate=wire.sample_rate)


def wire_format(message: AudioFormatMessage) -> AudioFormat | None:
    """The form of audio that a worker names, as clients know it; None: it names none."""
    kind = next((name for name, encoding in ENCODINGS.items() if encoding == message.encoding), None)
    if kind is None:
        return None
    return AudioFormat(kind, message.sample_rate) if kind == "audio/pcm" else AudioFormat(kind)


def ears_config(config: SessionConfig, candidate_pause_ms: int, threshold: Threshold) -> EarsConfig:
    """What the ears do. Every turn is transcribed, whether the client asks for transcripts or not:
    the text model needs the words. `threshold`: what it takes to interrupt an answer.

    Beside Moshi there are no turns to be committed: what is transcribed is cut by voice activity, also
    where the client does not want to be told of that.
    """
    partials = config.listens_only or config.dialtone.partial_transcripts or threshold.words > 0
    return EarsConfig(
        turn_detection=_turn_detection(config, candidate_pause_ms, threshold.speech_ms),
        transcription=transcription(config, partials=partials),
    )


def transcription(config: SessionConfig, *, partials: bool) -> TranscriptionMessage:
    """How the user's audio becomes text."""
    asked = config.transcription
    return TranscriptionMessage(
        model=(asked and asked.model) or "",
        language=(asked and asked.language) or "",
        prompt=(asked and asked.prompt) or "",
        partials=partials,
    )


def _turn_detection(
    config: SessionConfig, candidate_pause_ms: int, sustained_speech_ms: int
) -> TurnDetection:
    wire, extra = config.audio.input.turn_detection, config.dialtone
    if config.commits_by_hand:
        return TurnDetection(mode=TurnDetection.MODE_MANUAL)
    pause = candidate_pause_ms if extra.candidate_pause_ms is None else extra.candidate_pause_ms
    wire = wire or ServerVad()
    mode = DEFAULT_AGGRESSIVENESS if extra.vad_aggressiveness is None else extra.vad_aggressiveness
    common = TurnDetection(
        engine=ENGINES[extra.vad_engine],
        aggressiveness=mode,
        candidate_pause_ms=pause if config.answers_turns else 0,
        sustained_speech_ms=sustained_speech_ms,
    )
    if isinstance(wire, ServerVad):
        common.mode = TurnDetection.MODE_SERVER_VAD
        common.threshold = wire.threshold
        common.prefix_padding_ms = wire.prefix_padding_ms
        common.silence_duration_ms = wire.silence_duration_ms
    else:
        common.mode = TurnDetection.MODE_SEMANTIC_VAD
        common.threshold = ServerVad().threshold
        common.prefix_padding_ms = ServerVad().prefix_padding_ms
        common.eagerness = EAGERNESS[wire.eagerness]
    return common


def voice_of(config: SessionConfig, voice: str | None, user_language: str = "") -> Voice:
    """Who speaks, and in which language what might be of any, such as a number: the user's."""
    extra = config.dialtone
    return Voice(
        name=voice or config.audio.output.voice,
        language=extra.language or user_language,
        speaker_id=extra.speaker_id or "",
        noise_scale=extra.noise_scale,
        noise_scale_w=extra.noise_scale_w,
        length_scale=extra.length_scale,
        speed=None if config.audio.output.speed == 1.0 else config.audio.output.speed,
    )
