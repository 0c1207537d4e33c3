"""The voices whose models run on this machine: each kind in a process of its own, for all of its voices."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from dialtone.fence import ModelProcess
from dialtone.models import locate
from dialtone.tts.engines.kokoro.entry import KokoroVoice, read_files
from dialtone.tts.engines.onnx_file import onnx_file
from dialtone.tts.settings import TtsSettings
from dialtone.tts.voices import Voice, VoiceSpec, spoken_language


async def local_voices(
    settings: TtsSettings, stack: AsyncExitStack
) -> tuple[list[ModelProcess[Any]], dict[str, Voice]]:
    """Return the processes, started, and the voices by name. Raises ModelMissing, BadVoice or NotKokoro."""
    # The model libraries come with the voices that need them: a stage without such voices starts without.
    piper = {name: line for name, line in settings.tts_voices.items() if isinstance(line, VoiceSpec)}
    kokoro = {name: line for name, line in settings.tts_voices.items() if isinstance(line, KokoroVoice)}
    made = [await _piper(piper, settings)] if piper else []
    made += [await _kokoro(kokoro, settings)] if kokoro else []
    voices: dict[str, Voice] = {}
    for process, of_kind in made:
        stack.push_async_callback(process.close)
        await process.start()
        voices |= of_kind
    return [process for process, _ in made], voices


async def _piper(
    specs: Mapping[str, VoiceSpec], settings: TtsSettings
) -> tuple[ModelProcess[Any], dict[str, Voice]]:
    from dialtone.tts.engines.piper import PiperEngine, piper_process

    files = {name: onnx_file(locate(spec.model, settings.models_dir)) for name, spec in specs.items()}
    process = piper_process(files, parallel=settings.tts_parallel, threads=settings.tts_threads)

    def voice(name: str, spec: VoiceSpec) -> Voice:
        engine = PiperEngine(
            name, files[name], process, gain=spec.gain, step_timeout_s=settings.tts_step_timeout_s
        )
        return Voice(name, spoken_language(spec), engine)

    return process, {name: voice(name, spec) for name, spec in specs.items()}


async def _kokoro(
    specs: Mapping[str, KokoroVoice], settings: TtsSettings
) -> tuple[ModelProcess[Any], dict[str, Voice]]:
    from dialtone.tts.engines.kokoro.engine import KokoroEngine, kokoro_process

    files = {
        name: await asyncio.to_thread(read_files, name, spec, settings.models_dir)
        for name, spec in specs.items()
    }
    process = kokoro_process(files, parallel=settings.tts_parallel, threads=settings.tts_threads)

    def voice(name: str, spec: KokoroVoice) -> Voice:
        engine = KokoroEngine(name, process, gain=spec.gain, step_timeout_s=settings.tts_step_timeout_s)
        return Voice(name, spoken_language(spec), engine)

    return process, {name: voice(name, spec) for name, spec in specs.items()}
