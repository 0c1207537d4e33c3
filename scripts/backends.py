"""Writes the tables of docs/backends.md from the registries of the services; `--check` says if they are so.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; TABLES has what makes it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dialtone.llm.kinds import KINDS as CHAT_KINDS
from dialtone.tts.engines.espeak import EspeakEngine
from dialtone.tts.engines.kinds import VENDORS
from dialtone.tts.engines.kokoro.engine import KokoroEngine
from dialtone.tts.engines.piper import PiperEngine
from dialtone.vad_asr.asr.kinds import KINDS

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "backends.md"
_PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def recognisers() -> str:
    """What each kind of recogniser can do."""
    head = (
        "backend",
        "where the audio goes",
        "hears a turn live",
        "can end turns",
        "words as they come",
        "languages",
        "detects the language",
        "session's prompt",
        "key",
        "names for sessions",
    )
    rows = [
        (
            f"`{name}`",
            kind.abilities.where,
            _yes(kind.abilities.live),
            _yes(kind.abilities.ends_turns),
            _yes(kind.abilities.words_as_they_come),
            kind.abilities.languages,
            kind.abilities.detects_language,
            kind.abilities.prompt,
            kind.abilities.key or "none",
            kind.abilities.models,
        )
        for name, kind in KINDS.items()
    ]
    return _table(head, rows)


def models() -> str:
    """What each kind of language model's backend can do."""
    head = (
        "backend",
        "where the conversation goes",
        "tools",
        "images",
        "an answer cut by a lost worker",
        "tokens counted by",
        "key",
        "names for sessions",
    )
    can = {name: kind.abilities for name, kind in CHAT_KINDS.items()}
    rows = [
        (f"`{name}`", one.where, one.tools, one.images, one.goes_on, one.counts, one.key, one.models)
        for name, one in can.items()
    ]
    return _table(head, rows)


def voices() -> str:
    """What each engine of voices can do."""
    head = ("engine", "where the text goes", "audio as it is made", "languages", "speeds", "longest text")
    vendors = {name: engine.abilities for name, engine in VENDORS.items()}
    local = {engine.name: engine.abilities for engine in (PiperEngine, KokoroEngine)}
    can = {**local, **vendors, "espeak-ng": EspeakEngine.abilities}
    rows = [
        (f"`{name}`", one.where, one.streams, one.languages, one.speeds, one.longest)
        for name, one in can.items()
    ]
    return _table(head, rows)


TABLES: Mapping[str, Callable[[], str]] = {"asr": recognisers, "llm": models, "tts": voices}


def written(document: str) -> str:
    """The document with every table as it is to be. Raises KeyError for one that nothing makes."""
    return _PLACE.sub(lambda place: f"{place[1]}{TABLES[place[2]]()}{place[3]}", document)


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    current = written(document)
    if "--check" in sys.argv[1:]:
        if current != document:
            sys.exit("docs/backends.md is stale: run make backends")
        return
    DOCUMENT.write_text(current, encoding="utf-8")


if __name__ == "__main__":
    main()
