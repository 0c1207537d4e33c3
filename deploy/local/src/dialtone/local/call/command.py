"""`call`: place a call to the stack, show it, save the answer."""

import asyncio
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console

from dialtone.local.call.question import ENGLISH, VOICE_MODEL, default_questions, question_language
from dialtone.local.call.realtime import RealtimeCall
from dialtone.local.call.recording import Recording, load_wav, save_wav
from dialtone.local.call.report import Transcript, print_times
from dialtone.local.call.settings import CallSettings
from dialtone.local.call.turn import CallFailed, Turn
from dialtone.local.call.voice_call import VoiceCall
from dialtone.local.down import clear_leftovers, down
from dialtone.local.models import fetch_models
from dialtone.local.settings import StackSettings
from dialtone.local.supervisor import StackFailed
from dialtone.local.up import running_stack, start_detached, wanted_models


def call(settings: CallSettings, stack: StackSettings, console: Console) -> int:
    """Hold the call; return the exit status: 0 when every turn was answered.

    A stack that had to be started for it is ended with it; one that was running goes on.
    """
    if settings.wav is None:
        settings = settings.model_copy(update={"language": question_language(settings.language)})
    try:
        _fetch_needed(settings, stack, console)
        questions = _questions(settings, stack)
        with _gateway(settings, stack, console) as url:
            turns = asyncio.run(_hold(settings, url, questions, console))
    except (CallFailed, StackFailed) as failure:
        console.print(str(failure), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130
    try:
        _save(settings, turns, console)
    except OSError as failure:
        console.print(
            f"answer not saved: {failure}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        return 1
    print_times(console, turns)
    failed = [turn for turn in turns if turn.errors or turn.first_sound is None]
    for turn in failed:
        reason = "; ".join(turn.errors) or "nothing was heard of an answer"
        console.print(f"turn {turn.number}: {reason}", style="red", markup=False, highlight=False)
    return 1 if failed else 0


async def _hold(
    settings: CallSettings, url: str, questions: Sequence[Recording], console: Console
) -> list[Turn]:
    transcript = Transcript(console)
    if settings.protocol == "voice_call":
        return await VoiceCall(settings, transcript).hold(url, questions)
    return await RealtimeCall(settings, transcript).hold(url, questions)


def _fetch_needed(settings: CallSettings, stack: StackSettings, console: Console) -> None:
    """Fetch what the question and, if it must be started, the stack need, in one go."""
    asking = [VOICE_MODEL] if settings.wav is None and settings.language == ENGLISH else []
    starting = [] if settings.url or running_stack(stack) else wanted_models(stack)
    names = [*asking, *starting]
    if names and not fetch_models(names, stack.models_dir, console):
        raise CallFailed("without these models there is no call")


def _questions(settings: CallSettings, stack: StackSettings) -> list[Recording]:
    if settings.wav is None:
        return default_questions(settings.turns, stack.run_dir / "questions", settings.language)
    try:
        recording = load_wav(settings.wav)
    except (OSError, EOFError, wave.Error) as failure:
        raise CallFailed(f"{settings.wav}: {failure}") from failure
    if not len(recording.samples):
        raise CallFailed(f"{settings.wav}: holds no sound")
    return [recording] * settings.turns


@contextmanager
def _gateway(settings: CallSettings, stack: StackSettings, console: Console) -> Iterator[str]:
    """Yield the URL to call, of a stack that is ended afterwards if it was started for this."""
    if settings.url:
        yield settings.url.rstrip("/")
        return
    if running := running_stack(stack):
        yield running.url
        return
    clear_leftovers(stack.run_dir)
    state = start_detached(stack, console)
    try:
        yield state.url
    finally:
        console.print("ending the stack (make up DETACH=1 keeps one running) ... ", end="", style="dim")
        down(stack.run_dir, console)


def _save(settings: CallSettings, turns: Sequence[Turn], console: Console) -> None:
    pcm = b"".join(bytes(turn.pcm) for turn in turns)
    if pcm:
        save_wav(settings.out, pcm, turns[0].rate)
        seconds = len(pcm) / 2 / turns[0].rate
        console.print(f"answer saved: {settings.out} ({seconds:.1f} s)", highlight=False, markup=False)
