"""`up`: start the stack and stay, or leave it running in the background."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from dialtone.local.chinese import CHINESE_MODELS
from dialtone.local.display import LogFollower, StartDisplay
from dialtone.local.down import clear_leftovers
from dialtone.local.models import fetch_models
from dialtone.local.plan import make_plan
from dialtone.local.settings import StackSettings
from dialtone.local.state import StackState, read_state
from dialtone.local.supervisor import StackFailed, Supervisor
from dialtone.models import manifest

_POLL_S = 0.1


def up(settings: StackSettings, console: Console) -> int:
    """Bring the stack up as the settings say; return the exit status (0 also when it runs already)."""
    try:
        running = running_stack(settings)
    except StackFailed as failure:
        console.print(str(failure), style="red", highlight=False, markup=False, soft_wrap=True)
        return 1
    if running:
        console.print(f"already running: {running.url}  (`make down` ends it)", highlight=False)
        return 0
    names = wanted_models(settings)
    if names and not fetch_models(names, settings.models_dir, console):
        return 1
    clear_leftovers(settings.run_dir)
    try:
        if settings.detach:
            start_detached(settings, console)
        else:
            asyncio.run(_attached(settings, console))
    except StackFailed as failure:
        console.print(
            f"the stack failed: {failure}", style="red", highlight=False, markup=False, soft_wrap=True
        )
        return 1
    return 0


def running_stack(settings: StackSettings) -> StackState | None:
    """Return the state of the live stack of these settings' run folder, if there is one.

    Raises StackFailed when it has another port or other stages than were asked for.
    """
    state = read_state(settings.run_dir)
    if state is None or not state.alive or state.phase not in ("starting", "ready"):
        return None
    asked = settings.model_fields_set
    other_port = "port" in asked and settings.port not in (0, urlsplit(state.url).port)
    other_stages = "stages" in asked and settings.stages != state.stages
    if other_port or other_stages:
        raise StackFailed(
            f"another stack runs: {state.url} with {state.stages} stages; `make down` ends it, "
            "another RUN_DIR keeps both"
        )
    return state


def wanted_models(settings: StackSettings) -> list[str]:
    """Return the models to have in the cache before the processes start; simulated stages need none."""
    if settings.stages == "simulated":
        return []
    named = [settings.asr_model, settings.vad_model, settings.llm_local_model, *settings.models.split()]
    named += CHINESE_MODELS if settings.has_chinese_voice else ()
    return [name for name in named if name in manifest() or not Path(name).expanduser().exists()]


def start_detached(settings: StackSettings, console: Console) -> StackState:
    """Start a supervisor in the background and wait until its stack is ready (blocking).

    Raises StackFailed; then nothing of it is left running.
    """
    run_dir = settings.run_dir
    (run_dir / "logs").mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **_as_environment(settings)}
    with (run_dir / "logs" / "supervisor.log").open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "dialtone.local", "supervise"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    with StartDisplay(console) as display:
        try:
            state = _follow(supervisor, settings, display)
        except BaseException:
            supervisor.terminate()
            supervisor.wait()
            raise
    announce(console, state, display.elapsed_s())
    return state


def announce(console: Console, state: StackState, seconds: float) -> None:
    """Say that the stack is ready, and where."""
    simulated = " (simulated stages)" if state.stages == "simulated" else ""
    keys = "" if os.environ.get("API_KEYS") else ", open to this machine (no API_KEYS)"
    console.print(
        f"ready in {seconds:.0f} s: {state.url}{simulated}{keys}",
        highlight=False,
        style="bold",
        soft_wrap=True,
    )
    # Browsers trust both names, but only one of them looks like an address to a person.
    console.print(f"talk to it in a browser: http://localhost:{urlsplit(state.url).port}", highlight=False)


async def supervise(settings: StackSettings) -> None:
    """Run a stack with nobody watching: what `up` in the background does. Raises StackFailed."""
    supervisor = Supervisor(settings, make_plan(settings), lambda _state: None)
    _stop_on_signals(supervisor)
    await supervisor.run()


async def _attached(settings: StackSettings, console: Console) -> None:
    with StartDisplay(console) as display:
        announced = False

        def on_change(state: StackState) -> None:
            nonlocal announced
            display.show(state)
            if state.phase == "ready" and not announced:
                announced = True
                announce(console, state, display.elapsed_s())
                console.print("Ctrl-C ends it", style="dim")

        supervisor = Supervisor(settings, make_plan(settings), on_change)
        _stop_on_signals(supervisor)
        follower = asyncio.create_task(_follow_logs(supervisor, console)) if settings.log else None
        try:
            await supervisor.run()
        finally:
            if follower:
                follower.cancel()
    console.print("stopped", highlight=False)


async def _follow_logs(supervisor: Supervisor, console: Console) -> None:
    logs = LogFollower(console, supervisor.logs)
    while True:
        logs.poll()
        await asyncio.sleep(_POLL_S * 2)


def _stop_on_signals(supervisor: Supervisor) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.stop)


def _follow(
    supervisor: "subprocess.Popen[bytes]", settings: StackSettings, display: StartDisplay
) -> StackState:
    while True:
        ended = supervisor.poll() is not None
        state = read_state(settings.run_dir)
        if state and state.pid == supervisor.pid:
            display.show(state)
            if state.phase == "ready":
                return state
            if state.phase == "failed" and ended:
                raise StackFailed(state.error)
        if ended:
            log = settings.run_dir / "logs" / "supervisor.log"
            raise StackFailed(
                log.read_text(errors="replace").strip()[-2000:] or "the supervisor ended without a word"
            )
        time.sleep(_POLL_S)


def _as_environment(settings: StackSettings) -> dict[str, str]:
    given = settings.model_dump(exclude_none=True, exclude={"detach", "log"})
    environment = {name.upper(): str(value) for name, value in given.items()}
    return {**environment, "MODELS_DIR": str(settings.models_dir)}
