"""Calls through the composition: those of `make call`, and one in which a service is restarted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr
from rich.console import Console

from dialtone.local.call.question import ENGLISH, default_questions
from dialtone.local.call.realtime import RealtimeCall
from dialtone.local.call.report import Transcript
from dialtone.local.call.settings import CallSettings
from dialtone.local.call.turn import Turn
from dialtone.local.call.voice_call import VoiceCall

Protocol = Literal["realtime", "voice_call"]
Happening = Callable[[], float]
GOES_ON = "the call goes on"  # of what the gateway tells, where nothing is lost
_ANSWER_S = 120.0  # longer than the composition has a call wait for the only worker of a stage


@dataclass(frozen=True, slots=True)
class Line:
    """Where to call, and as whom. `folder` keeps the spoken questions."""

    url: str
    key: str
    folder: Path


class _AfterAnAnswer(Transcript):
    """Prints the call, and says when an answer is complete."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.answered = asyncio.Event()

    def end_turn(self) -> None:
        super().end_turn()
        self.answered.set()


async def held_call(
    line: Line, console: Console, protocol: Protocol, turns: int, happening: Happening | None = None
) -> list[Turn]:
    """Ask `turns` questions; `happening` (blocking) begins when the first is answered. Raises CallFailed."""
    settings = CallSettings(
        url=line.url,
        protocol=protocol,
        api_key=SecretStr(line.key),
        turns=turns,
        language=ENGLISH,
        answer_timeout_s=_ANSWER_S,
    )
    questions = default_questions(turns, line.folder)
    transcript = _AfterAnAnswer(console)
    caller = (VoiceCall if protocol == "voice_call" else RealtimeCall)(settings, transcript)
    holding = asyncio.create_task(caller.hold(line.url, questions))
    if happening is not None:
        answered = asyncio.create_task(transcript.answered.wait())
        await asyncio.wait({holding, answered}, return_when=asyncio.FIRST_COMPLETED)
        answered.cancel()
        if not holding.done():
            await asyncio.to_thread(happening)
    return await holding


def turn_problems(turns: list[Turn], protocol: Protocol) -> list[str]:
    """Why a call was not one: words that were not heard, answers that did not come."""
    wrong = []
    for turn in turns:
        wrong += [f"turn {turn.number}: {error}" for error in turn.errors if GOES_ON not in error]
        if not turn.heard and protocol == "realtime":  # the other tells nobody what it has heard
            wrong.append(f"turn {turn.number}: the question was not heard")
        if turn.first_sound is None:
            wrong.append(f"turn {turn.number}: no answer was heard")
    return wrong


def shown(turn: Turn) -> dict[str, Any]:
    """A turn, for the report."""
    v2v = None if turn.v2v_ms is None else round(turn.v2v_ms)
    return {"turn": turn.number, "v2v_ms": v2v, "heard": turn.heard, "answer": turn.answer}
