"""`models`: fetch, join and verify model files, with progress bars."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from dialtone.models import manifest
from dialtone.models.fetch import FetchError, fetch


class ProgressBars:
    """Shows a fetch as one bar per model; where there is no terminal, as one line per step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:<28}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._current: TaskID | None = None

    def __enter__(self) -> "ProgressBars":
        self._bars.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def start(self, name: str, step: str, total: int) -> None:
        """Begin a step: the model's bar starts again under the step's name."""
        label = f"{name}: {step}"
        if not self._console.is_terminal:
            self.say(f"{label} ({total / 1e6:.0f} MB)")
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(label, total=total or None)
        self._current = self._tasks[name]
        self._bars.reset(self._current, total=total or None, description=label)

    def advance(self, count: int) -> None:
        """Move the current bar by `count` bytes."""
        if self._current is not None:
            self._bars.advance(self._current, count)

    def done(self, name: str) -> None:
        """Take the model's bar away."""
        if name in self._tasks:
            self._bars.remove_task(self._tasks.pop(name))
            self._current = None
            self.say(f"{name}: verified")


def fetch_models(names: list[str], models_dir: Path, console: Console, *, verify: bool = False) -> bool:
    """Fetch the named models (blocking) and print what happens; tell whether all of them are there."""
    bars = ProgressBars(console)
    try:
        with bars:
            fetch(names, models_dir, bars, verify=verify)
    except FetchError as failure:
        console.print(f"models: {failure}", style="red", highlight=False, soft_wrap=True, markup=False)
        return False
    return True


def list_models(console: Console) -> None:
    """Print the manifest as a table."""
    for model in manifest().values():
        mark = "default" if model.default else "by name" if model.by_name else "       "
        console.print(
            f"{model.name:<20} {model.size / 1e6:6.0f} MB  {mark}  {model.licence:<12} {model.title}"
        )
