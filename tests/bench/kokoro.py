"""What Kokoro's voices take here: `python -m tests.bench.kokoro [--tries 5]`, with its weights in the cache.

Prints for one thread and two: the time to the first audio and to all of it, its length, and what memory the
model's process has; medians. The load average tells how much of the machine was its own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from contextlib import aclosing

import psutil

from dialtone.tts.engines.base import Style
from dialtone.tts.engines.kokoro.engine import KokoroEngine, kokoro_process
from dialtone.tts.engines.kokoro.entry import KokoroVoice, read_files
from dialtone.tts.text import say

SENTENCES = {
    "en, 7 words": ("heart", "The weather today is sunny and warm."),
    "en, 27 words": (
        "heart",
        "I would be happy to help you find a good restaurant near the station, one that serves fresh fish "
        "and vegetables at a fair price this evening with friends.",
    ),
    "zh, 11 characters": ("mei", "今天北京的天气怎么样？"),
    "zh, 36 characters": (
        "mei",
        "我很高兴帮您在火车站附近找一家餐厅，今天晚上可以和朋友一起吃新鲜的鱼和蔬菜。",
    ),
}
VOICES = {"heart": ("af_heart", "en"), "mei": ("zf_xiaoxiao", "zh")}


async def measure(threads: int, tries: int) -> None:
    files = {
        name: read_files(name, KokoroVoice(engine="kokoro", voice=voice, language=language), None)
        for name, (voice, language) in VOICES.items()
    }
    process = kokoro_process(files, threads=threads)
    began = time.monotonic()
    await process.start()
    took_s = time.monotonic() - began
    print(f"{threads} thread(s): loaded in {took_s:.1f} s, load average {os.getloadavg()[0]:.1f}")
    try:
        child = psutil.Process(process.pid)
        loaded = child.memory_info().rss / 1e6
        for title, (voice, written) in SENTENCES.items():
            engine = KokoroEngine(voice, process, step_timeout_s=60.0)
            await engine.warm_up()
            text = say(written, VOICES[voice][1])
            runs = [await one(engine, text) for _ in range(tries)]
            first, whole, audio = (statistics.median(column) for column in zip(*runs, strict=True))
            print(
                f"  {title:<18} first audio {first * 1e3:5.0f} ms, all {whole * 1e3:5.0f} ms,"
                f" audio {audio:4.1f} s, RTF {whole / audio:.2f}"
            )
        print(f"  RSS {loaded:.0f} MB loaded, {child.memory_info().rss / 1e6:.0f} MB after that")
    finally:
        await process.close()
    print(f"  load average {os.getloadavg()[0]:.1f}")


async def one(engine: KokoroEngine, text: str) -> tuple[float, float, float]:
    """Seconds to the first audio, to all of it, and of audio."""
    began = time.monotonic()
    first, samples = 0.0, 0
    async with aclosing(engine.speak(text, Style())) as blocks:
        async for block in blocks:
            first = first or time.monotonic() - began
            samples += len(block)
    return first, time.monotonic() - began, samples / engine.sample_rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=5)
    tries = parser.parse_args().tries
    for threads in (1, 2):
        asyncio.run(measure(threads, tries))


if __name__ == "__main__":
    main()
