"""A recogniser that does what models do when they break, where a passage's prompt says so."""

import ctypes
import os
import time
from collections.abc import Sequence
from pathlib import Path

from dialtone.vad_asr.asr.recognition import Passage, Recognition

HANG_S = 60.0


class FragileRecognizer:
    """Answers with the prompt; writes down each prompt that it is asked about, in all of its lives."""

    device = "cpu"
    languages = frozenset({"en"})

    def __init__(self, journal: Path) -> None:
        self._journal = journal

    def recognize(self, passages: Sequence[Passage]) -> list[Recognition]:
        prompts = [passage.prompt for passage in passages]
        with self._journal.open("a") as journal:
            journal.write(f"{' '.join(prompts)}\n")
        if "crash" in prompts:
            ctypes.string_at(0)
        if "hang" in prompts:
            time.sleep(HANG_S)
        if "raise" in prompts:
            raise MemoryError("no room")
        return [Recognition(prompt, "en", 1_000) for prompt in prompts]


class BrokenRecognizer:
    """Loads once; its next process does not."""

    device = "cpu"
    languages = frozenset({"en"})

    def recognize(self, passages: Sequence[Passage]) -> list[Recognition]:
        del passages
        os.abort()


def load(journal: Path) -> FragileRecognizer:
    return FragileRecognizer(journal)


def load_once(marker: Path) -> BrokenRecognizer:
    if marker.exists():
        raise MemoryError("no memory left")
    marker.touch()
    return BrokenRecognizer()
