"""Error rate and time of the recogniser on short windows, beside faster-whisper's own 30 s path.

    python -m tests.bench.asr_wer [--model whisper-base] [--threads 1]

Needs the recordings (DIALTONE_SPEECH) and the model. Writes build/bench_asr.json and build/bench_asr.md.
Languages are detected of the recordings as they are, between English and Chinese. For error rates
digits and "Mr" are spelled out before words are compared, Chinese is compared by characters.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import jiwer
import numpy as np
from faster_whisper import WhisperModel

from dialtone.audio import Pcm16, pcm16_to_float
from dialtone.models import locate
from dialtone.v1.common_pb2 import AUDIO_ENCODING_PCM16, AudioFormat
from dialtone.v1.ears_pb2 import EarsConfig, TurnDetection
from dialtone.vad_asr.asr.recognition import Passage
from dialtone.vad_asr.asr.whisper import ShortWindowWhisper
from dialtone.vad_asr.endpointing import Paused, Resumed, Started, Stopped
from dialtone.vad_asr.hearing import Hearing
from dialtone.vad_asr.passages import passages
from dialtone.vad_asr.policy import TurnDefaults, TurnPolicy
from dialtone.vad_asr.service import Ears, load_ears
from dialtone.vad_asr.settings import EarsSettings
from tests.fixtures.speech import SPEECH_FOLDER, Recording, find_recordings, silence

BUILD = Path(__file__).resolve().parents[2] / "build"
ENGLISH_NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
CHINESE_DIGITS = dict(zip("0123456789", "零一二三四五六七八九", strict=True))

LANGUAGES = ["en", "zh"]

Recognise = Callable[[Pcm16, str], str]


@dataclass(frozen=True, slots=True)
class Heard:
    """One recording through one path."""

    id: str
    language: str
    seconds: float
    said: str
    heard: str
    milliseconds: float


def words(text: str) -> str:
    """English as it is compared: lower case, no punctuation, numbers up to ten spelled out."""
    bare = re.sub(r"[^a-z0-9' ]", " ", text.lower())
    return " ".join(_spelled(word) for word in bare.split())


def _spelled(word: str) -> str:
    if word.isdecimal() and int(word) < len(ENGLISH_NUMBERS):
        return ENGLISH_NUMBERS[int(word)]
    return "mister" if word == "mr" else word


def characters(text: str) -> str:
    """Chinese as it is compared: no punctuation, digits as characters."""
    bare = re.sub(r"[\W_]+", "", text).replace("10", "十")
    return "".join(CHINESE_DIGITS.get(char, char) for char in bare)


def standard_path(model: WhisperModel) -> Recognise:
    """What a caller of faster-whisper gets, beam 1 as here."""

    def recognise(samples: Pcm16, language: str) -> str:
        prompt = "以下是普通话的句子。" if language == "zh" else None
        segments, _ = model.transcribe(
            pcm16_to_float(samples),
            language=language,
            beam_size=1,
            temperature=0.0,
            initial_prompt=prompt,
            condition_on_previous_text=False,
        )
        return "".join(segment.text for segment in segments).strip()

    return recognise


def short_window(
    model: ShortWindowWhisper, ears: Ears, loop: asyncio.Runner, *, at_pauses: bool
) -> Recognise:
    """What a call gets: voice activity detection, the passages cut around it, the short window.

    Committed as a whole; or in turns that 200 ms of silence end, each as it was heard at the pause of
    100 ms before that: the least that is ever recognised.
    """
    mode = TurnDetection.MODE_SERVER_VAD if at_pauses else TurnDetection.MODE_MANUAL
    turns = TurnDetection(
        mode=mode, aggressiveness=1, prefix_padding_ms=300, silence_duration_ms=200, candidate_pause_ms=100
    )

    async def hear(samples: Pcm16, language: str) -> list[Passage]:
        hearing = Hearing(
            AudioFormat(encoding=AUDIO_ENCODING_PCM16, sample_rate=16_000),
            TurnPolicy.of(EarsConfig(turn_detection=turns), TurnDefaults()),
            ears.new_tracker,
            start_us=0,
            max_turn=60 * 16_000,
            kept_idle=60 * 16_000,
            kept_manual=60 * 16_000,
        )
        whole = np.concatenate((silence(0.5), samples, silence(0.5)))

        def cut(start: int, end: int) -> list[Passage]:
            cuts = passages(hearing.recording, hearing.voice, start, end, language=language, prompt="")
            return [each.passage for each in cuts]

        chosen: list[Passage] = []
        start, heard = 0, list[Passage]()
        async for boundaries in hearing.hear(whole.tobytes()):
            for boundary in boundaries:
                if isinstance(boundary, Started):
                    start = boundary.start
                elif isinstance(boundary, Paused):
                    heard = cut(start, hearing.position)
                elif isinstance(boundary, Resumed):
                    heard = []
                elif isinstance(boundary, Stopped):
                    chosen += heard or cut(start, boundary.end)
                    heard = []
        return chosen if at_pauses else cut(0, len(whole))

    def recognise(samples: Pcm16, language: str) -> str:
        chosen = loop.run(hear(samples, language))
        return " ".join(model.recognize([passage])[0].text for passage in chosen)

    return recognise


def measure(recognise: Recognise, recordings: list[Recording], rounds: int = 3) -> list[Heard]:
    """Every recording `rounds` times; the median time counts."""
    recognise(recordings[0].samples(), recordings[0].language)
    results = []
    for each in recordings:
        samples, times, text = each.samples(), [], ""
        for _ in range(rounds):
            begun = time.perf_counter()
            text = recognise(samples, each.language)
            times.append((time.perf_counter() - begun) * 1e3)
        comparable = characters if each.language == "zh" else words
        results.append(
            Heard(
                each.id,
                each.language,
                len(samples) / 16_000,
                comparable(each.transcript),
                comparable(text),
                round(statistics.median(times), 1),
            )
        )
    return results


def detection(
    ours: ShortWindowWhisper, theirs: WhisperModel, recordings: list[Recording]
) -> dict[str, dict[str, list[str]]]:
    """Ids of the recordings whose language was not detected, by how much was heard and by path."""
    wrong: dict[str, dict[str, list[str]]] = {}
    for name, part in (("whole", 1.0), ("first 60 %", 0.6)):
        short, standard = [], []
        for each in recordings:
            samples = each.samples()
            samples = samples[: int(len(samples) * part)]
            if ours.recognize([Passage(samples, voiced_us=1_000_000)])[0].language != each.language:
                short.append(each.id)
            scores = dict(theirs.detect_language(pcm16_to_float(samples))[2])
            if max(LANGUAGES, key=lambda code: scores[code]) != each.language:
                standard.append(each.id)
        wrong[name] = {"short_window": short, "standard": standard}
    return wrong


def detection_table(wrong: dict[str, dict[str, list[str]]], count: int) -> str:
    lines = ["| language detected | short window | faster-whisper, 30 s |", "|---|---|---|"]
    for name, by_path in wrong.items():
        cells = [" ".join([f"{count - len(ids)} of {count}", *ids]) for ids in by_path.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def summary(heard: list[Heard]) -> dict[str, float]:
    english = [each for each in heard if each.language == "en"]
    chinese = [each for each in heard if each.language == "zh"]
    return {
        "english_wer": jiwer.wer([e.said for e in english], [e.heard for e in english]),
        "chinese_cer": jiwer.cer([e.said for e in chinese], [e.heard for e in chinese]),
        "median_ms": statistics.median(each.milliseconds for each in heard),
        "total_s": round(sum(each.milliseconds for each in heard) / 1e3, 2),
    }


def table(short: list[Heard], paused: list[Heard], standard: list[Heard]) -> str:
    lines = ["| | English WER | Chinese CER | median ms | all, s |", "|---|---|---|---|---|"]
    for name, heard in (
        ("short window, a turn as a whole", short),
        ("short window, turns cut at pauses of 200 ms", paused),
        ("faster-whisper, 30 s", standard),
    ):
        s = summary(heard)
        lines.append(
            f"| {name} | {s['english_wer']:.1%} | {s['chinese_cer']:.1%} "
            f"| {s['median_ms']:.0f} | {s['total_s']:.1f} |"
        )
    lines += [
        "",
        "| recording | s | short ms | 30 s ms | heard on the short window |",
        "|---|---|---|---|---|",
    ]
    for a, b in zip(short, standard, strict=True):
        text = a.heard if a.heard == a.said else f"**{a.heard}**"
        lines.append(f"| {a.id} | {a.seconds:.1f} | {a.milliseconds:.0f} | {b.milliseconds:.0f} | {text} |")
    return "\n".join([*lines, "", "In bold: not what was said.", ""])


async def _close(ears: Ears) -> None:
    await ears.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="whisper-base")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    recordings = find_recordings("speech")
    if not recordings:
        raise SystemExit(f"no recordings in {SPEECH_FOLDER}: set DIALTONE_SPEECH")
    folder = locate(arguments.model)
    ours = ShortWindowWhisper(folder, languages=LANGUAGES, device="cpu", threads=arguments.threads)
    with asyncio.Runner() as loop:
        ears = loop.run(load_ears(EarsSettings(stages="simulated")))
        try:
            short = measure(short_window(ours, ears, loop, at_pauses=False), recordings)
            paused = measure(short_window(ours, ears, loop, at_pauses=True), recordings)
        finally:
            loop.run(_close(ears))
    theirs = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=arguments.threads)
    standard = measure(standard_path(theirs), recordings)
    undetected = detection(ours, theirs, recordings)

    BUILD.mkdir(exist_ok=True)
    figures = {
        "model": arguments.model,
        "threads": arguments.threads,
        "short_window": summary(short),
        "at_pauses": summary(paused),
        "standard": summary(standard),
        "language_not_detected": undetected,
        "recordings": [
            {"short": asdict(a), "standard": asdict(b)} for a, b in zip(short, standard, strict=True)
        ],
    }
    (BUILD / "bench_asr.json").write_text(json.dumps(figures, ensure_ascii=False, indent=1))
    page = table(short, paused, standard) + "\n" + detection_table(undetected, len(recordings))
    (BUILD / "bench_asr.md").write_text(page)
    print(page)
    ratio = figures["short_window"]["english_wer"] / max(figures["standard"]["english_wer"], 1e-9)
    print(f"English word errors: {ratio:.2f} times the standard path's")


if __name__ == "__main__":
    main()
