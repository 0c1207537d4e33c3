"""What the models of a turn take by themselves: the limit that a turn is measured against.

    python -m tests.bench.bare_models --question a.wav --question b.wav --out bare.json

One process, nothing else in it: the services' own engines with the services' own settings, called one after
the other. Recognition of the whole question, then the model's first sentence (the system message is cached,
the rest of the prompt is new each time), then the first audio of that sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import numpy as np

from dialtone.gateway.core.sentences import SentenceSplitter
from dialtone.gateway.settings import GatewaySettings
from dialtone.llm.backend import ChatBackend
from dialtone.llm.registry import ModelRegistry
from dialtone.llm.service import make_registry
from dialtone.llm.settings import LlmSettings
from dialtone.local.call.recording import Recording
from dialtone.models import locate
from dialtone.tts.engines.base import Style
from dialtone.tts.engines.onnx_file import onnx_file
from dialtone.tts.engines.piper import PiperEngine, piper_process
from dialtone.tts.settings import TtsSettings
from dialtone.tts.text import say
from dialtone.tts.voices import VoiceSpec
from dialtone.v1.turn_pb2 import LlmTurn, Message, TextDelta
from dialtone.vad_asr.asr.fenced import warm_up
from dialtone.vad_asr.asr.recognition import SAMPLE_RATE, Passage
from dialtone.vad_asr.asr.whisper import ShortWindowWhisper
from dialtone.vad_asr.settings import EarsSettings
from tests.bench.question import RATE, Question, load_question

# In front of the question, so that no prompt has been seen before.
_OPENINGS = ("Hello.", "Good morning.", "One thing:", "Listen,", "Thank you.", "Right.", "Okay.", "Well,")
REPEATS = 5


class BareModels:
    """The three engines. `turn` runs them once, one after the other."""

    def __init__(
        self, whisper: ShortWindowWhisper, registry: ModelRegistry, voice: PiperEngine, instructions: str
    ) -> None:
        self._whisper = whisper
        self._registry = registry
        self._voice = voice
        self._instructions = instructions

    async def turn(self, question: Question, opening: str) -> dict[str, Any]:
        """Times in ms, and what was said."""
        started = time.perf_counter()
        text = self._recognise(question)
        recognised = time.perf_counter()
        first_token, piece = await self._first_piece(f"{opening} {text}")
        written = time.perf_counter()
        await self._first_audio(piece)
        spoken = time.perf_counter()
        return {
            "asr_ms": (recognised - started) * 1e3,
            "llm_first_token_ms": (first_token - recognised) * 1e3,
            "llm_first_sentence_ms": (written - recognised) * 1e3,
            "tts_first_chunk_ms": (spoken - written) * 1e3,
            "sum_ms": (spoken - started) * 1e3,
            "heard": text,
            "said": piece,
        }

    def _recognise(self, question: Question) -> str:
        samples = np.frombuffer(b"".join(question.frames), dtype="<i2")
        speech = Recording(samples, RATE).at_rate(SAMPLE_RATE).samples
        voiced_us = len(speech) * 1_000_000 // SAMPLE_RATE
        return self._whisper.recognize([Passage(speech, voiced_us=voiced_us)])[0].text

    async def _first_piece(self, text: str) -> tuple[float, str]:
        (chosen, *_others) = self._registry.choose("")
        backend: ChatBackend = chosen.backend
        messages = [
            Message(role=Message.ROLE_SYSTEM, text=self._instructions),
            Message(role=Message.ROLE_USER, text=text),
        ]
        splitter, first_token = SentenceSplitter(), 0.0
        stream = cast(Any, backend.stream(LlmTurn(model=chosen.model, messages=messages)))
        async with aclosing(stream) as events:
            async for event in events:
                if not isinstance(event, TextDelta):
                    continue
                first_token = first_token or time.perf_counter()
                if pieces := splitter.feed(event.text):
                    return first_token, pieces[0]
        return first_token or time.perf_counter(), (splitter.flush() or [""])[0]

    async def _first_audio(self, piece: str) -> None:
        if not (text := say(piece, "en")):
            return
        async with aclosing(self._voice.speak(text, Style())) as blocks:
            async for _block in blocks:
                return


async def measure(questions: Sequence[Question], repeats: int) -> dict[str, Any]:
    """Load the models, run every question `repeats` times in turn, return the medians."""
    ears, llm, tts = EarsSettings(stages="real"), LlmSettings(stages="real"), TtsSettings(stages="real")
    whisper = ShortWindowWhisper(
        locate(ears.asr_model, ears.models_dir),
        languages=ears.languages,
        device=ears.asr_device,
        compute_type=ears.asr_compute_type,
        threads=ears.asr_threads,
        workers=1,
    )
    warm_up(whisper)
    registry = make_registry(llm)
    spec = next(line for line in tts.tts_voices.values() if isinstance(line, VoiceSpec))
    file = onnx_file(locate(spec.model, tts.models_dir))
    voices = piper_process({"voice": file}, parallel=tts.tts_parallel, threads=tts.tts_threads)
    await voices.start()
    voice = PiperEngine("voice", file, voices, gain=spec.gain)
    try:
        await registry.load()
        await voice.warm_up()
        bare = BareModels(whisper, registry, voice, GatewaySettings().default_instructions)
        await bare.turn(questions[0], "Welcome.")
        runs = [
            (question, await bare.turn(question, _OPENINGS[number % len(_OPENINGS)]))
            for number in range(repeats)
            for question in questions
        ]
    finally:
        await registry.close()
        await voices.close()
    return {
        "models": {"asr": ears.asr_model, "llm": llm.llm_local_model, "tts": spec.model},
        "threads": {"asr": ears.asr_threads, "llm": llm.llm_threads, "tts": tts.tts_threads},
        "repeats": repeats,
        "questions": {
            question.name: _medians([run for asked, run in runs if asked is question])
            for question in questions
        },
    }


def _medians(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    times = [name for name in runs[0] if name.endswith("_ms")]
    return {
        **{name: round(statistics.median(run[name] for run in runs), 1) for name in times},
        "best_sum_ms": round(min(run["sum_ms"] for run in runs), 1),
        "heard": runs[-1]["heard"],
        "said": [run["said"] for run in runs],
    }


def main() -> None:
    """Read the command line, measure, write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--question", type=Path, action="append", required=True, help="WAV; may be repeated")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    questions = [load_question(path) for path in given.question]
    given.out.write_text(json.dumps(asyncio.run(measure(questions, given.repeats)), ensure_ascii=False))


if __name__ == "__main__":
    main()
