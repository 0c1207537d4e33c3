"""Makes a speech worker ready: loads its voices and warms them up."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from dialtone.telemetry import get_logger
from dialtone.tts.engines.entry import VendorVoice
from dialtone.tts.engines.espeak import (
    READS_LATIN_AS_PINYIN,
    EspeakEngine,
    espeak_name,
    installed_languages,
)
from dialtone.tts.engines.kinds import VENDORS
from dialtone.tts.engines.simulated import SimulatedEngine
from dialtone.tts.local_voices import local_voices
from dialtone.tts.metrics import UPSTREAM
from dialtone.tts.settings import TtsSettings
from dialtone.tts.speaker import Speaker
from dialtone.tts.text import say
from dialtone.tts.voices import EVERY_LANGUAGE, Voice, VoiceRegistry, spoken_language
from dialtone.vendors.breaker import Breaker
from dialtone.worker import Loaded

log = get_logger(__name__)

# Languages that fall back to espeak-ng where it is installed: ISO 639-1.
_FALLBACK_LANGUAGES = """
ar bg bn ca cs da de el en es et fa fi fr he hi hr hu id it ja ko lt lv ms nl no pl pt ro ru sk sl sr sv sw ta
te th tr uk ur vi yue zh
"""
_SIMULATED_SLOTS = 256  # a simulated sentence costs next to nothing


async def load(settings: TtsSettings) -> Loaded:
    """Return a warm handler. Raises ModelMissing, BadVoice or NotKokoro where a local voice cannot be had."""
    if settings.stages == "simulated":
        voice = Voice("simulated", EVERY_LANGUAGE, SimulatedEngine(), any_script=True)
        registry = VoiceRegistry({"simulated": voice}, {})
        speaker = Speaker(registry, settings)
        return Loaded(handler=speaker.handle, slots=_SIMULATED_SLOTS, offers=registry.offers)
    return await _load_voices(settings)


async def _load_voices(settings: TtsSettings) -> Loaded:
    async with AsyncExitStack() as stack:
        models, local = await local_voices(settings, stack)
        lines: dict[str, Voice | tuple[str, ...]] = {}
        for name, line in settings.tts_voices.items():
            if isinstance(line, tuple):
                lines[name] = line
            elif isinstance(line, VendorVoice):
                lines[name] = _vendor_voice(name, line, stack)
            else:
                lines[name] = local[name]
        fallbacks = await _fallbacks(settings.tts_espeak)
        log.info("voices", voices=sorted(lines), fallback_languages=len(fallbacks))
        for voice in lines.values():
            if isinstance(voice, Voice):
                await voice.engine.warm_up()
        chinese = any(
            isinstance(line, Voice) and line.language in ("zh", EVERY_LANGUAGE) for line in lines.values()
        )
        await asyncio.to_thread(_warm_up_texts, chinese or "zh" in fallbacks)
        registry = VoiceRegistry(lines, fallbacks)
        return Loaded(
            handler=Speaker(registry, settings).handle,
            slots=settings.tts_slots,
            close=stack.pop_all().aclose,
            models=models,
            offers=registry.offers,
        )


def _vendor_voice(name: str, entry: VendorVoice, stack: AsyncExitStack) -> Voice:
    engine = VENDORS[entry.engine](entry)
    stack.push_async_callback(engine.close)
    return Voice(
        name,
        spoken_language(entry),
        engine,
        any_script=entry.language == EVERY_LANGUAGE,
        breaker=Breaker(entry.engine, entry.limits, UPSTREAM),
    )


async def _fallbacks(program: str) -> dict[str, Voice]:
    installed = await installed_languages(program)
    names = {language: espeak_name(language, installed) for language in _FALLBACK_LANGUAGES.split()}
    return {
        language: Voice(
            "espeak-ng",
            language,
            EspeakEngine(program, name),
            fallback=True,
            any_script=True,
            latin=name != READS_LATIN_AS_PINYIN,
        )
        for language, name in names.items()
        if name is not None
    }


def _warm_up_texts(chinese: bool) -> None:
    say("Ready at 9:30 on May 3rd, for $5.", "en")
    if chinese:
        say("九点30分", "zh")
