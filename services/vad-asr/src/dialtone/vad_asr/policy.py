"""How turns are to be found in a call: the client's configuration with every default filled in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dialtone.v1.ears_pb2 import EarsConfig, TurnDetection
from dialtone.vad_asr.turn_end import TurnEnd

_SAMPLES_PER_MS = 16

# Semantic turn detection: the silence in ms that ends a turn, by how its words sound. The longest are
# the protocol's: 8, 4 and 2 s where the speaker seems to go on.
_PATIENCE_MS = {
    TurnDetection.EAGERNESS_LOW: {
        TurnEnd.FINISHED: 1_000, TurnEnd.UNSURE: 3_000, TurnEnd.UNFINISHED: 8_000,
    },
    TurnDetection.EAGERNESS_MEDIUM: {
        TurnEnd.FINISHED: 600, TurnEnd.UNSURE: 1_500, TurnEnd.UNFINISHED: 4_000,
    },
    TurnDetection.EAGERNESS_HIGH: {
        TurnEnd.FINISHED: 400, TurnEnd.UNSURE: 800, TurnEnd.UNFINISHED: 2_000,
    },
}  # fmt: skip


class Engine(StrEnum):
    WEBRTC = "webrtc"
    SILERO = "silero"


@dataclass(frozen=True, slots=True)
class TurnDefaults:
    """What a session gets that does not say. The silence is the 25 frames of 30 ms that end a turn."""

    engine: Engine = Engine.WEBRTC
    threshold: float = 0.5
    silence_ms: int = 750
    # Semantic turn detection, where the words of a pause are not known (yet).
    low_eagerness_ms: int = 1_500
    medium_eagerness_ms: int = 900
    high_eagerness_ms: int = 600
    # Pause after which recognition starts ahead of the endpoint, at most half the silence.
    early_pause_ms: int = 200


@dataclass(frozen=True, slots=True)
class LegLimits:
    """Bounds of one call's ears, in seconds of audio."""

    max_turn: float = 300.0
    kept_idle: float = 30.0
    kept_manual: float = 600.0
    partial_every: float = 0.8


@dataclass(frozen=True, slots=True)
class TurnPolicy:
    """Durations in samples at 16 kHz."""

    automatic: bool  # False: only the client ends a turn
    engine: Engine
    aggressiveness: int
    threshold: float
    prefix: int
    silence: int
    sustained: int  # speech of a turn that is announced once there is as much; 0: never
    pause: int  # silence after which recognition starts ahead of the endpoint; 0: never
    patience: dict[TurnEnd, int] | None = None  # the silence once the words are known; None: the same
    told: bool = False  # a recogniser that says where the turn ends is believed

    @classmethod
    def of(cls, config: EarsConfig, defaults: TurnDefaults) -> TurnPolicy:
        turn = config.turn_detection
        silence_ms = _silence_ms(turn, defaults)
        pause_ms = turn.candidate_pause_ms or min(defaults.early_pause_ms, silence_ms // 2)
        return cls(
            automatic=turn.mode != TurnDetection.MODE_MANUAL,
            engine=_engine(turn, defaults),
            aggressiveness=min(turn.aggressiveness, 3),
            threshold=min(turn.threshold, 0.99) if turn.threshold > 0 else defaults.threshold,
            prefix=turn.prefix_padding_ms * _SAMPLES_PER_MS,
            silence=silence_ms * _SAMPLES_PER_MS,
            sustained=turn.sustained_speech_ms * _SAMPLES_PER_MS,
            pause=pause_ms * _SAMPLES_PER_MS if pause_ms < silence_ms else 0,
            patience=_patience(turn),
            # What a client left to its words, or to itself, is not for a vendor to decide.
            told=turn.mode not in (TurnDetection.MODE_MANUAL, TurnDetection.MODE_SEMANTIC_VAD),
        )


def _engine(turn: TurnDetection, defaults: TurnDefaults) -> Engine:
    if turn.engine == TurnDetection.ENGINE_SILERO:
        return Engine.SILERO
    if turn.engine == TurnDetection.ENGINE_WEBRTC:
        return Engine.WEBRTC
    return defaults.engine


def _patience(turn: TurnDetection) -> dict[TurnEnd, int] | None:
    if turn.mode != TurnDetection.MODE_SEMANTIC_VAD or turn.silence_duration_ms:
        return None
    by_end = _PATIENCE_MS.get(turn.eagerness, _PATIENCE_MS[TurnDetection.EAGERNESS_MEDIUM])
    return {end: ms * _SAMPLES_PER_MS for end, ms in by_end.items()}


def _silence_ms(turn: TurnDetection, defaults: TurnDefaults) -> int:
    if turn.silence_duration_ms:
        return turn.silence_duration_ms
    if turn.mode != TurnDetection.MODE_SEMANTIC_VAD:
        return defaults.silence_ms
    if turn.eagerness == TurnDetection.EAGERNESS_LOW:
        return defaults.low_eagerness_ms
    if turn.eagerness == TurnDetection.EAGERNESS_HIGH:
        return defaults.high_eagerness_ms
    return defaults.medium_eagerness_ms
