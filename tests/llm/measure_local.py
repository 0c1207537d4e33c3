"""Time of a local model's first token and first sentence, first and second turn of a call.

    python -m tests.llm.measure_local [--model NAME] [--threads N] [--spin N] [--busy N]

Medians over four calls, in milliseconds. `--busy` has so many other processes keep a core each busy.
"""

import argparse
import asyncio
import multiprocessing
import re
import statistics
import time

from dialtone.llm.backends.local import LocalBackend
from dialtone.llm.llama_server import LlamaOptions
from dialtone.llm.model_entry import ModelEntry
from dialtone.llm.settings import LlmSettings
from dialtone.v1.turn_pb2 import LlmTurn, TextDelta
from tests.llm.conversations import turn

_QUESTIONS = (
    "What is the weather usually like in Paris in the spring?",
    "How long does it take to boil an egg?",
    "Which is bigger, a dog or a cat?",
    "Can you recommend a good book for a long train ride?",
)


def _burn() -> None:
    while True:
        pass


async def _time(backend: LocalBackend, asked: LlmTurn) -> tuple[float, float, str]:
    start = time.perf_counter()
    first = sentence = 0.0
    text = ""
    async for event in backend.stream(asked):
        if isinstance(event, TextDelta):
            text += event.text
            now = (time.perf_counter() - start) * 1000
            first = first or now
            if not sentence and re.search(r"[.!?\u3002\uff01\uff1f]", text):
                sentence = now
    return first, sentence or (time.perf_counter() - start) * 1000, text


async def _measure(model: str, threads: int, spin: int) -> list[tuple[float, ...]]:
    settings = LlmSettings()
    options = LlamaOptions(threads=threads, spin=spin, parallel=2, context=2048, batch=64, cache_mib=512)
    entry = ModelEntry(backend="local", model=model, temperature=0.0, max_output_tokens=48)
    instructions = settings.llm_warmup_instructions
    backend = LocalBackend(entry, options, models_dir=settings.models_dir, warmup_instructions=instructions)
    await backend.load()
    rows = []
    for question in _QUESTIONS:
        *first, text = await _time(backend, turn(question, system=instructions))
        follow_up = turn(question, text, "Thanks. And why is that?", system=instructions)
        *second, _ = await _time(backend, follow_up)
        rows.append((*first, *second))
    await backend.close()
    return rows


def main() -> None:
    """Measure as the arguments say, and print one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--threads", type=int, default=LlmSettings().llm_threads)
    parser.add_argument("--spin", type=int, default=LlmSettings().llm_spin)
    parser.add_argument("--busy", type=int, default=0)
    chosen = parser.parse_args()
    others = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(chosen.busy)]
    for other in others:
        other.start()
    try:
        rows = asyncio.run(_measure(chosen.model, chosen.threads, chosen.spin))
    finally:
        for other in others:
            other.kill()
    names = ("first token", "first sentence", "2nd turn first token", "2nd turn first sentence")
    medians = (statistics.median(column) for column in zip(*rows, strict=True))
    print(vars(chosen), ", ".join(f"{n} {m:.0f}" for n, m in zip(names, medians, strict=True)))


if __name__ == "__main__":
    main()
