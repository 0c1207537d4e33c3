"""Real models: v2v of turns with recorded questions, where its time went, and what the models take alone.

Once with the silence that ends a turn by default, where an answer is begun on a guess during the pause, and
once with 200 ms of it, too short for a guess. The limit is the sum of the bare model times of the same
questions, taken on the same machine right after. The ratio is (v2v - silence) / limit.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from dialtone.gateway.core.session import ServerVad
from dialtone.local.settings import checkout
from tests.bench.figures import markdown_table, summary
from tests.bench.load import Load, play
from tests.bench.spoken import spoken_questions
from tests.bench.stack import BUILD, machine, running_stack

SILENCES_MS = (ServerVad().silence_duration_ms, 200)
RECORDINGS = ("en_weather_question.wav", "en_kyutai_seine.wav")  # used where they are
_FOLDER = BUILD / "bench"


def run_real(*, quick: bool, console: Console) -> dict[str, Any]:
    """Measure one call at a time on the default models, then the models alone."""
    described = machine()
    with running_stack("real", console) as stack:
        questions = _questions()[: 2 if quick else None]
        turns = len(questions) * (1 if quick else 2)
        runs = {}
        for silence_ms in SILENCES_MS:
            console.print(f"real models: {turns} turns, {silence_ms} ms of silence end one", highlight=False)
            load = Load(calls=1, turns=turns, questions=questions, silence_ms=silence_ms)
            runs[silence_ms] = play(stack.socket_url, load, _FOLDER / f"real-{silence_ms}.json")
    console.print("real models: each by itself", highlight=False)
    bare = _bare(questions, repeats=2 if quick else 5)
    return {
        "machine": described,
        "bare": bare,
        "runs": [_figures(silence_ms, raw["turns"], bare) for silence_ms, raw in runs.items()],
    }


def _questions() -> list[Path]:
    shared = Path(os.environ.get("DIALTONE_SPEECH", checkout().parent / "shared" / "speech"))
    recordings = [shared / name for name in RECORDINGS]
    return spoken_questions(_FOLDER / "questions") + [path for path in recordings if path.exists()]


def _bare(questions: Sequence[Path], *, repeats: int) -> dict[str, Any]:
    out = _FOLDER / "bare.json"
    command = [sys.executable, "-m", "tests.bench.bare_models", "--out", str(out), "--repeats", str(repeats)]
    for question in questions:
        command += ["--question", str(question)]
    subprocess.run(command, check=True, cwd=checkout())
    result: dict[str, Any] = json.loads(out.read_text())
    return result


def _figures(silence_ms: int, turns: list[dict[str, Any]], bare: dict[str, Any]) -> dict[str, Any]:
    rows = []
    for turn in turns:
        limit = bare["questions"].get(turn["question"], {}).get("sum_ms")
        ratio = None
        if turn["v2v_ms"] is not None and limit:
            ratio = round((turn["v2v_ms"] - silence_ms) / limit, 3)
        rows.append({**turn, "limit_ms": limit, "ratio": ratio})
    counted = [row for row in rows if row["turn"] > 0 and not row["failure"]]
    ratios = [row["ratio"] for row in counted if row["ratio"] is not None]
    return {
        "silence_ms": silence_ms,
        **summary(turns, floor_ms=silence_ms),
        "ratio": {"median": round(statistics.median(ratios), 3), "worst": max(ratios)} if ratios else {},
        "rows": rows,
    }


_PARTS = ("endpointing_ms", "asr_ms", "llm_first_token_ms", "first_sentence_ms", "tts_first_chunk_ms")


def to_markdown(figures: dict[str, Any]) -> str:
    """The tables of `run_real`."""
    bare = figures["bare"]
    lines = ["## Real models\n", f"{json.dumps(bare['models'])}, threads {json.dumps(bare['threads'])}.\n"]
    for run in figures["runs"]:
        ratio = run["ratio"]
        v2v, silence_ms = run["v2v_ms"], run["silence_ms"]
        lines.append(
            f"{silence_ms} ms of silence end a turn: v2v p50 {v2v.get('p50')} ms, p95 {v2v.get('p95')} ms; "
            f"(v2v - silence) / limit: median **{ratio.get('median')}**, worst {ratio.get('worst')}; "
            f"{run['failed']} of {run['turns']} turns failed. In ms:\n"
        )
        head = (
            "question",
            "v2v",
            "endpointing",
            "ASR",
            "first token",
            "first sentence",
            "TTS",
            "limit",
            "ratio",
        )
        lines.append(
            markdown_table(
                head,
                [
                    (
                        row["question"] + (f" ({row['failure']})" if row["failure"] else ""),
                        row["v2v_ms"],
                        *(row["parts"].get(part) for part in _PARTS),
                        row["limit_ms"],
                        f"{row['ratio']:.2f}" if row["ratio"] is not None else None,
                    )
                    for row in run["rows"]
                    if row["turn"] > 0
                ],
            )
        )
    lines.append("The models by themselves, one process, medians in ms:\n")
    bare_head = ("question", "ASR", "first token", "first sentence", "TTS first chunk", "sum", "best sum")
    names = (
        "asr_ms",
        "llm_first_token_ms",
        "llm_first_sentence_ms",
        "tts_first_chunk_ms",
        "sum_ms",
        "best_sum_ms",
    )
    rows = [(question, *(times[name] for name in names)) for question, times in bare["questions"].items()]
    lines.append(markdown_table(bare_head, rows))
    return "\n".join(lines)
