"""The conversation as it happens, and the table of where each turn's time went."""

import statistics
from collections.abc import Sequence

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.table import Table

from dialtone.local.call.turn import PARTS, Turn

_CLEAR_LINE = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
_COLUMNS = {
    "v2v": "from writing the question's last voiced frame to receiving the answer's first voiced sample",
    "end of turn": "from the last speech that the detector heard to its decision that the turn is over",
    "ASR": "",
    "LLM first token": "",
    "first sentence": "",
    "TTS first chunk": "",
    "rest": "gateway, bus and sockets; less the voice of the question that the detector took for silence",
}


class Transcript:
    """Prints who says what while it is said. Partial transcripts replace each other on a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._open = ""  # who is in the middle of a line

    def partial(self, text: str) -> None:
        """What has been understood of the user's words so far."""
        if self._console.is_terminal:
            shown = text[-(self._console.width - 18) :]
            self._console.control(_CLEAR_LINE)
            self._console.print(f"{'you …':>14} ", style="dim", end="")
            self._console.print(shown, style="dim", end="", markup=False, highlight=False)
            self._open = "partial"

    def user(self, text: str) -> None:
        """The user's words of a turn, final; empty where something was heard that are no words."""
        if text:
            self._line("you", "cyan", text)
        else:
            self.note("      (heard, but not understood)")

    def assistant(self, text: str) -> None:
        """More of the answer's text."""
        if self._open != "assistant":
            self._end_line()
            self._console.print("[green]      dialtone:[/] ", end="")
            self._open = "assistant"
        self._console.print(text, end="", markup=False, highlight=False, soft_wrap=True)

    def note(self, text: str, style: str = "dim") -> None:
        """Something that happened to the call."""
        self._end_line()
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def end_turn(self) -> None:
        """The answer is complete."""
        self._end_line()

    def _line(self, who: str, colour: str, text: str) -> None:
        self._end_line()
        self._console.print(f"[{colour}]{who:>14}:[/] ", end="")
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _end_line(self) -> None:
        if self._open == "partial":
            self._console.control(_CLEAR_LINE)
        elif self._open:
            self._console.print()
        self._open = ""


def print_times(console: Console, turns: Sequence[Turn]) -> None:
    """Print the table; with several turns, their median without the first, which finds everything cold."""
    shown = len(_COLUMNS) if any(turn.parts for turn in turns) else 1
    console.print("Where the time of each turn went (ms)", style="italic", highlight=False)
    table = Table()
    for name in ("turn", *list(_COLUMNS)[:shown]):
        table.add_column(name, justify="right")
    for turn in turns:
        table.add_row(str(turn.number), *map(_ms, _row(turn)[:shown]))
    if len(turns) > 2:
        table.add_section()
        columns = zip(*(_row(turn)[:shown] for turn in turns[1:]), strict=True)
        table.add_row("median", *(_ms(_median(column)) for column in columns))
    console.print(table)
    for name, meaning in list(_COLUMNS.items())[:shown]:
        if meaning:
            console.print(f"{name}: {meaning}", style="dim", soft_wrap=True, highlight=False)


def _row(turn: Turn) -> list[float | None]:
    return [turn.v2v_ms, *(turn.parts.get(name) for name in PARTS), turn.rest_ms]


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
