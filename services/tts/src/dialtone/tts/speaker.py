"""Handles the stage's work: a sentence in, chunks of audio out."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager

from dialtone.audio import AudioEncoder, UnsupportedFormat
from dialtone.bus import HandBack, Lease, WorkError
from dialtone.fence import ModelGone, ModelLost
from dialtone.telemetry import get_logger
from dialtone.telemetry.tracing import stage_span
from dialtone.tts.chain import spoken
from dialtone.tts.chunks import Chunker
from dialtone.tts.engines.base import SpeechFailed, Style, UnknownSpeaker
from dialtone.tts.metrics import AUDIO_SECONDS, FIRST_CHUNK
from dialtone.tts.onset import Onset
from dialtone.tts.settings import TtsSettings
from dialtone.tts.text import is_speakable, say, strip_markup
from dialtone.tts.voices import Casting, VoiceRegistry
from dialtone.v1.common_pb2 import AudioFormat
from dialtone.v1.speech_pb2 import Sentence, SentenceDone
from dialtone.v1.speech_pb2 import Voice as WantedVoice
from dialtone.vendors.failures import UpstreamFailure

log = get_logger(__name__)

# Parameters beyond these make noise, or audio without end, out of any sentence.
_NOISE = (0.0, 2.0)
_LENGTH = (0.1, 10.0)
_SPEED = (0.1, 10.0)


class Speaker:
    """Speaks sentences with the voices of a registry. Stateless between sentences."""

    def __init__(self, voices: VoiceRegistry, settings: TtsSettings) -> None:
        self._voices = voices
        self._settings = settings

    async def handle(self, lease: Lease) -> None:
        """Speak the lease's sentence: AudioChunks as they are computed, then SentenceDone.

        A sentence that holds nothing to say is done without audio. Raises WorkError, retryable once for
        `synthesis_failed` and a vendor's trouble that may pass, not for `unspeakable_text`, `text_too_long`,
        `invalid_voice`, `model_lost`, `unsupported_format`, nor for what a vendor refuses; HandBack when this
        worker's model is gone for good.
        """
        started = time.monotonic()
        sentence = lease.work.sentence
        style = style_of(sentence.voice)
        chunker = self._chunker(sentence.format, lease.grant.sentence.delivered_us)
        casting = self._cast(sentence)
        if casting.notice:
            log.info("not spoken as asked", reason=casting.notice)
        first_chunk_us = 0
        first = lease.attempt == lease.work.attempt_base
        speakers: dict[str, str] = {}
        try:
            with speak_span(lease, casting, speakers):
                async with aclosing(self._audio(casting, style, sentence, speakers)) as audio:
                    async for piece in audio:
                        for chunk in chunker.push(piece):
                            first_chunk_us = first_chunk_us or _us_since(started)
                            await lease.send(audio=chunk)
        except UnknownSpeaker as error:
            raise WorkError("invalid_voice", str(error)) from error
        # A sentence that fails twice is left out rather than waited for: what follows it can be said.
        except UpstreamFailure as error:
            raise WorkError(error.code, error.message, retryable=error.retryable and first) from error
        except SpeechFailed as error:
            raise WorkError("synthesis_failed", str(error), retryable=first) from error
        except ModelGone as error:
            raise HandBack(str(error)) from error
        except ModelLost as error:  # it would take the next worker's model with it
            raise WorkError("model_lost", str(error)) from error
        for chunk in chunker.flush():
            first_chunk_us = first_chunk_us or _us_since(started)
            await lease.send(audio=chunk)
        voice = _each_once(speakers)
        if first_chunk_us:
            FIRST_CHUNK.labels(voice).observe(first_chunk_us / 1e6)
            AUDIO_SECONDS.labels(voice).inc(chunker.total_us / 1e6)
        done = SentenceDone(
            duration_us=chunker.total_us,
            first_chunk_us=first_chunk_us,
            compute_us=_us_since(started),
            voice=voice,
            backend=_each_once(speakers.values()),
            notice=casting.notice,
        )
        await lease.send(sentence_done=done)

    def _chunker(self, target: AudioFormat, delivered_us: int) -> Chunker:
        try:
            return Chunker(
                target,
                first_ms=self._settings.tts_first_chunk_ms,
                chunk_ms=self._settings.tts_chunk_ms,
                delivered_us=delivered_us,
            )
        except UnsupportedFormat as error:
            raise WorkError("unsupported_format", str(error)) from error

    def _cast(self, sentence: Sentence) -> Casting:
        limit = self._settings.tts_max_characters
        if len(sentence.text) > limit:
            message = f"tts: {len(sentence.text)} characters, at most {limit} are spoken (text)"
            raise WorkError("text_too_long", message)
        text = strip_markup(sentence.text)
        if not is_speakable(text):
            return Casting((), (), "nothing to speak")
        casting = self._voices.cast(text, name=sentence.voice.name, language=sentence.voice.language)
        if not casting.parts:
            languages = ", ".join(casting.unspoken)
            raise WorkError("unspeakable_text", f"tts: no voice of this worker speaks {languages} (language)")
        return casting

    async def _audio(
        self, casting: Casting, style: Style, sentence: Sentence, speakers: dict[str, str]
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes, and note in `speakers` who speaks: the backends by the names of the voices."""
        opening = sentence.index == 0
        for part in casting.parts:
            text = say(part.text, part.language)
            if not is_speakable(text):
                continue
            encoder: AudioEncoder | None = None
            onset: Onset | None = None
            blocks = spoken(part, text, style, block_timeout_s=self._settings.tts_block_timeout_s)
            async with aclosing(blocks):
                async for voice, block in blocks:
                    if encoder is None:
                        encoder = AudioEncoder(voice.engine.sample_rate, sentence.format)
                        onset = Onset(voice.engine.sample_rate) if opening else None
                        opening = False
                        speakers[voice.name] = voice.backend
                    yield encoder.feed(onset.feed(block) if onset else block)
            if encoder is not None:
                yield encoder.flush()


@contextmanager
def speak_span(lease: Lease, casting: Casting, speakers: Mapping[str, str]) -> Iterator[None]:
    """The span of a sentence's synthesis: by the voice that was cast until it is known from `speakers`, the
    backends by the names of the voices, who spoke.

    The conventions for generative AI have no name for it yet; this one is of their draft for voice agents.
    """
    voice, sentence = _each_once(part.voice.name for part in casting.parts), lease.work.sentence
    attributes: dict[str, str | int | float | bool] = {
        "dialtone.stage": "tts",
        "dialtone.attempt": lease.attempt,
        "gen_ai.operation.name": "text_to_speech",
        "gen_ai.output.type": "speech",
        "gen_ai.request.model": voice,
        "gen_ai.conversation.id": lease.work.session_id,
        "dialtone.sentence": sentence.index,
        "dialtone.characters": len(sentence.text),
    }
    with stage_span(f"speak {voice}".strip(), lease.work.traceparent, attributes) as span:
        try:
            yield
        finally:
            if speakers:
                spoken_by = _each_once(speakers)
                span.update_name(f"speak {spoken_by}")
                span.set_attribute("gen_ai.response.model", spoken_by)
                span.set_attribute("dialtone.backend", _each_once(speakers.values()))


def _each_once(names: Iterable[str]) -> str:
    return "+".join(dict.fromkeys(names))


def style_of(voice: WantedVoice) -> Style:
    """Check the parameters of a sentence. Raises WorkError("invalid_voice") naming the one that is out."""
    return Style(
        speaker=voice.speaker_id,
        noise_scale=_checked(voice, "noise_scale", _NOISE),
        noise_scale_w=_checked(voice, "noise_scale_w", _NOISE),
        length_scale=_checked(voice, "length_scale", _LENGTH),
        speed=_checked(voice, "speed", _SPEED) or 1.0,
    )


def _checked(voice: WantedVoice, field: str, limits: tuple[float, float]) -> float | None:
    if not voice.HasField(field):
        return None
    value: float = getattr(voice, field)
    low, high = limits
    if math.isnan(value) or not low <= value <= high:
        raise WorkError("invalid_voice", f"tts: {field} is {value:g}, it must be from {low:g} to {high:g}")
    return value


def _us_since(start: float) -> int:
    return max(round((time.monotonic() - start) * 1e6), 1)
