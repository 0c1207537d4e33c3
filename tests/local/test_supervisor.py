"""What `up` and `down` promise about the processes of a stack: real servers, small programs for the rest."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import nats
import psutil
import pytest
from redis.asyncio import Redis
from rich.console import Console

from dialtone.local.down import clear_leftovers, down
from dialtone.local.plan import ProcessPlan, StackPlan, make_plan
from dialtone.local.ports import free_ports
from dialtone.local.probes import http_ok
from dialtone.local.process import SupervisedProcess
from dialtone.local.settings import StackSettings
from dialtone.local.state import ProcessState, StackState, read_state, start_time, state_file, write_state
from dialtone.local.supervisor import StackFailed, Supervisor

SERVE = """
import http.server, signal, sys, time
print("program", sys.argv[2], "starts", flush=True)
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
FAIL = "import sys; print('cannot go on: no hat'); sys.exit(3)"


def program(name: str, source: str = SERVE, kind: str = "meek", grace_s: float = 5.0) -> ProcessPlan:
    """A small program that is ready when it answers on its port."""
    port = free_ports(1)[0]
    url = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-c", source, str(port), kind)
    return ProcessPlan(name, command, os.environ, http_ok(f"{url}/readyz"), url, grace_s)


@pytest.fixture
def settings(tmp_path: Path) -> StackSettings:
    return StackSettings(port=0, run_dir=tmp_path / "run", start_timeout_s=30, stages="simulated")


@pytest.fixture
def plan(settings: StackSettings) -> StackPlan:
    """Real servers, small programs in place of ours."""
    return replace(make_plan(settings), workers=(program("worker"),), gateway=program("gateway"))


class Running:
    """A supervisor at work in a task."""

    def __init__(self, supervisor: Supervisor, phases: list[str]) -> None:
        self.supervisor = supervisor
        self.phases = phases
        self.changed = asyncio.Event()
        self.task = asyncio.create_task(supervisor.run())

    @property
    def state(self) -> StackState:
        return self.supervisor.state

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                if self.task.done():
                    await self.task
                self.changed.clear()
                change = asyncio.create_task(self.changed.wait())
                await asyncio.wait({change, self.task}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()


@asynccontextmanager
async def supervised(settings: StackSettings, plan: StackPlan) -> AsyncIterator[Running]:
    running: Running | None = None
    phases: list[str] = []

    def on_change(state: StackState) -> None:
        if not phases or phases[-1] != state.phase:
            phases.append(state.phase)
        if running:
            running.changed.set()

    running = Running(Supervisor(settings, plan, on_change), phases)
    try:
        yield running
    finally:
        running.supervisor.stop()
        await asyncio.wait({running.task}, timeout=30)
        if not running.task.cancelled():
            running.task.exception()


async def test_a_stack_is_ready_when_every_process_is_and_leaves_nothing_behind(
    settings: StackSettings, plan: StackPlan
) -> None:
    async with supervised(settings, plan) as running:
        await running.until(lambda: running.state.phase == "ready")
        state = read_state(settings.run_dir)
        assert state is not None
        assert state.alive
        assert {name: process.condition for name, process in state.processes.items()} == dict.fromkeys(
            ("nats", "valkey", "worker", "gateway"), "ready"
        )
        client = await nats.connect(state.nats_url)
        await client.jetstream().account_info()
        await client.close()
        async with Redis.from_url(state.redis_url) as redis:
            assert await redis.ping()
        pids = [process.pid for process in state.processes.values()]
    assert running.phases == ["starting", "ready", "stopping"]
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not state_file(settings.run_dir).exists()


async def test_the_gateway_is_ended_first_and_the_servers_last(
    settings: StackSettings, plan: StackPlan
) -> None:
    async with supervised(settings, plan) as running:
        await running.until(lambda: running.state.phase == "ready")
    ended = sorted(running.state.processes, key=lambda name: running.state.processes[name].since)
    assert ended[:2] == ["gateway", "worker"]


async def test_a_process_that_dies_is_started_again(settings: StackSettings, plan: StackPlan) -> None:
    async with supervised(settings, plan) as running:
        await running.until(lambda: running.state.phase == "ready")
        worker = running.state.processes["worker"]
        first = worker.pid
        os.kill(first, signal.SIGKILL)
        await running.until(lambda: worker.restarts == 1 and worker.condition == "ready")
        assert worker.pid != first
        assert running.state.phase == "ready"


async def test_a_broker_that_dies_comes_back_where_it_was(settings: StackSettings, plan: StackPlan) -> None:
    async with supervised(settings, plan) as running:
        await running.until(lambda: running.state.phase == "ready")
        broker = running.state.processes["nats"]
        os.kill(broker.pid, signal.SIGKILL)
        await running.until(lambda: broker.restarts == 1 and broker.condition == "ready")
        client = await nats.connect(running.state.nats_url)
        await client.close()


async def test_a_process_that_ends_before_ready_ends_the_stack_with_its_last_words(
    settings: StackSettings, plan: StackPlan
) -> None:
    broken = replace(plan, workers=(program("worker", FAIL),))
    async with supervised(settings, broken) as running:
        with pytest.raises(StackFailed, match=r"worker ended with status 3[\s\S]*no hat"):
            await running.task
    state = read_state(settings.run_dir)
    assert state is not None
    assert state.phase == "failed"
    assert not any(process.alive for process in state.processes.values())


async def test_a_program_that_does_not_exist_is_named(settings: StackSettings, plan: StackPlan) -> None:
    nowhere = replace(plan.gateway, command=("/nowhere/gateway",))
    async with supervised(settings, replace(plan, gateway=nowhere)) as running:
        with pytest.raises(StackFailed, match="gateway cannot be started"):
            await running.task


async def test_a_stack_that_is_not_ready_in_time_names_who_is_late(
    settings: StackSettings, plan: StackPlan
) -> None:
    hurried = settings.model_copy(update={"start_timeout_s": 1.5})
    never = program("worker", "import time; print('loading', flush=True); time.sleep(60)")
    async with supervised(hurried, replace(plan, workers=(never,))) as running:
        with pytest.raises(StackFailed, match=r"not ready after 2 s: worker[\s\S]*loading"):
            await running.task


async def test_a_process_that_will_not_end_is_killed_after_its_grace(tmp_path: Path) -> None:
    process = SupervisedProcess(program("stubborn", kind="stubborn", grace_s=0.5), tmp_path, lambda: None)
    await process.start()
    assert await process.ready_or_gone()
    await process.stop()
    assert process.state.condition == "stopped"
    assert not process.state.alive


async def test_a_second_request_to_stop_kills_at_once(settings: StackSettings, plan: StackPlan) -> None:
    stubborn = program("gateway", kind="stubborn", grace_s=60.0)
    async with supervised(settings, replace(plan, gateway=stubborn)) as running:
        await running.until(lambda: running.state.phase == "ready")
        running.supervisor.stop()
        running.supervisor.stop()
        async with asyncio.timeout(10):
            await running.task


async def test_a_second_stack_in_the_same_folder_is_refused(settings: StackSettings, plan: StackPlan) -> None:
    async with supervised(settings, plan) as running:
        await running.until(lambda: running.state.phase == "ready")
        with pytest.raises(StackFailed, match="is running in"):
            await Supervisor(settings, make_plan(settings), lambda _state: None).run()
        assert running.state.phase == "ready"
        assert state_file(settings.run_dir).exists()


async def test_a_port_in_use_is_named(settings: StackSettings) -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        busy = settings.model_copy(update={"port": port})
        with pytest.raises(StackFailed, match=f"port {port} of 127.0.0.1 is in use"):
            await Supervisor(busy, make_plan(busy), lambda _state: None).run()


def test_servers_given_by_url_are_not_started(settings: StackSettings) -> None:
    urls = {
        "nats_url": "nats://there:4222",
        "redis_url": "redis://there/1",
        "database_url": "postgresql+asyncpg://x/y",
    }
    given = settings.model_copy(update=urls)
    plan = make_plan(given)
    assert plan.servers == ()
    for process in plan.processes:
        assert process.environment["NATS_URL"] == "nats://there:4222"
        assert process.environment["REDIS_URL"] == "redis://there/1"
        assert process.environment["DATABASE_URL"] == "postgresql+asyncpg://x/y"


@pytest.fixture
def orphan() -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def stale_state(orphan_pid: int, started: float) -> StackState:
    state = StackState(
        pid=2**22 + 1, started=1.0, url="", stages="real", nats_url="", redis_url="", database_url=""
    )
    state.processes["llm"] = ProcessState(condition="ready", pid=orphan_pid, started=started)
    return state


def test_leftovers_of_a_killed_supervisor_are_ended(
    orphan: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    write_state(tmp_path, stale_state(orphan.pid, start_time(orphan.pid)))
    assert down(tmp_path, Console(quiet=True)) == 0
    assert orphan.wait(5) == -signal.SIGTERM
    assert not state_file(tmp_path).exists()


def test_a_process_that_took_over_an_old_id_is_left_alone(
    orphan: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    write_state(tmp_path, stale_state(orphan.pid, start_time(orphan.pid) - 3600))
    assert clear_leftovers(tmp_path) == 0
    assert orphan.poll() is None


def test_down_without_a_stack_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert down(tmp_path, Console()) == 0
    assert "not running" in capsys.readouterr().out
    state_file(tmp_path).write_text("{ not json")
    assert down(tmp_path, Console()) == 0
