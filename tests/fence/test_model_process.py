"""Whatever model code does in its process, its worker lives, and other steps get their results."""

import asyncio
import functools
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from prometheus_client import REGISTRY

from dialtone.fence import ModelCrashed, ModelGone, ModelHung, ModelLost, ModelProcess
from tests.contract.bus.call_side import until
from tests.fence.fragile import Fragile, load, load_and_crash, load_nothing, load_once

ROOT = Path(__file__).parents[2]
_LONG_S = 60.0


@asynccontextmanager
async def _fragile(threads: int = 1) -> AsyncIterator[ModelProcess[Fragile]]:
    model = ModelProcess("fragile", functools.partial(load, "Hello"), threads=threads)
    await model.start()
    try:
        yield model
    finally:
        await model.close()


async def test_a_step_runs_over_there() -> None:
    async with _fragile() as model:
        assert model.ready
        assert await model.run(_LONG_S, Fragile.greet, "you") == "Hello, you"
        assert await model.run(_LONG_S, Fragile.pid) == model.pid != os.getpid()


async def test_an_exception_is_raised_here_and_costs_nothing() -> None:
    async with _fragile() as model:
        before = model.pid
        with pytest.raises(ValueError, match="no such phoneme") as raised:
            await model.run(_LONG_S, Fragile.raises)
        assert any("in raises" in note for note in raised.value.__notes__)
        with pytest.raises(RuntimeError, match="Local: here only"):
            await model.run(_LONG_S, Fragile.raises_what_cannot_be_pickled)
        with pytest.raises(TypeError):
            await model.run(_LONG_S, Fragile.gives_what_cannot_be_pickled)
        assert model.pid == before


async def test_a_crash_costs_the_step_that_crashes() -> None:
    async with _fragile() as model:
        before = model.pid
        with pytest.raises(ModelCrashed, match="SIGABRT"):
            await model.run(_LONG_S, Fragile.aborts)
        assert await model.run(_LONG_S, Fragile.greet, "again") == "Hello, again"
        assert model.pid != before


async def test_what_crashes_by_chance_is_run_again(tmp_path: Path) -> None:
    async with _fragile() as model:
        assert await model.run(_LONG_S, Fragile.crashes_once, tmp_path / "crashed") == "well"


async def test_the_others_in_a_crash_get_their_results() -> None:
    async with _fragile(threads=4) as model:
        slow = [asyncio.ensure_future(model.run(_LONG_S, Fragile.sleeps, 0.3)) for _ in range(3)]
        await asyncio.sleep(0.1)
        with pytest.raises(ModelCrashed):
            await model.run(_LONG_S, Fragile.segfaults)
        assert await asyncio.gather(*slow) == ["slept"] * 3


async def test_a_hang_is_ended_and_the_others_are_run_again() -> None:
    async with _fragile(threads=2) as model:
        slow = asyncio.ensure_future(model.run(_LONG_S, Fragile.sleeps, 0.6))
        start = time.monotonic()
        with pytest.raises(ModelHung):
            await model.run(0.3, Fragile.sleeps, 60)
        assert time.monotonic() - start < 2
        assert await slow == "slept"


async def test_even_one_that_holds_the_interpreter() -> None:
    async with _fragile() as model:
        with pytest.raises(ModelHung):
            await model.run(0.3, Fragile.holds_the_interpreter)
        async with asyncio.timeout(30):  # half of what it would hold it for
            assert await model.run(_LONG_S, Fragile.greet, "again") == "Hello, again"


async def test_time_in_which_nobody_ran_is_no_hang() -> None:
    """A machine that was asleep, a container that was frozen."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fence.one_step", "1.0", "0.3", cwd=ROOT, stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    try:
        assert await asyncio.wait_for(worker.stdout.readline(), 30) == b"began\n"
        processes = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children()]
        for process in processes:
            process.suspend()
        await asyncio.sleep(1.2)
        processes[0].resume()  # it sees the clock before the answer
        await asyncio.sleep(0.1)
        processes[1].resume()
        assert await asyncio.wait_for(worker.stdout.readline(), 30) == b"slept\n"
    finally:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()


async def test_time_in_which_others_had_the_processor_is_no_hang() -> None:
    """A model that runs only when nobody else wants its processor, and somebody does for a while."""
    async with _fragile() as model:
        processor = {min(os.sched_getaffinity(0))}
        os.sched_setaffinity(model.pid, processor)
        os.sched_setscheduler(model.pid, os.SCHED_IDLE, os.sched_param(0))
        busy = await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass")
        try:
            os.sched_setaffinity(busy.pid, processor)
            step = asyncio.ensure_future(model.run(1.0, Fragile.computes, 0.3))
            done, _ = await asyncio.wait({step}, timeout=2.5)
            assert not done
        finally:
            busy.kill()
            await busy.wait()
        os.sched_setscheduler(model.pid, os.SCHED_OTHER, os.sched_param(0))
        assert await step == "computed"


async def test_a_process_that_dies_while_idle_is_replaced_before_it_is_needed() -> None:
    async with _fragile() as model:
        before = model.pid
        psutil.Process(before).kill()
        await until(lambda: model.ready and model.pid != before, "the next process", timeout=30)
        assert await model.run(_LONG_S, Fragile.greet, "again") == "Hello, again"


async def test_a_step_that_nobody_waits_for_any_more_never_begins(tmp_path: Path) -> None:
    async with _fragile() as model:
        first = asyncio.ensure_future(model.run(_LONG_S, Fragile.sleeps, 0.5))
        second = asyncio.ensure_future(model.run(_LONG_S, Fragile.crashes_once, tmp_path / "begun"))
        await asyncio.sleep(0.1)
        second.cancel()
        await first
        await model.run(_LONG_S, Fragile.greet, "you")
        assert not (tmp_path / "begun").exists()


async def test_one_that_crashed_is_not_run_again_for_nobody(tmp_path: Path) -> None:
    async with _fragile() as model:
        before = psutil.Process(model.pid)
        step = asyncio.ensure_future(model.run(_LONG_S, Fragile.crashes_once, tmp_path / "begun", 0.3))
        await until((tmp_path / "begun").exists, "its beginning")
        step.cancel()
        await until(lambda: not before.is_running(), "the crash")
        assert await model.run(_LONG_S, Fragile.counted) == 1


@pytest.mark.parametrize(
    ("loading", "error"), [(load_nothing, FileNotFoundError), (load_and_crash, ModelGone)]
)
async def test_what_cannot_be_loaded_says_why(loading: object, error: type[Exception]) -> None:
    model: ModelProcess[Fragile] = ModelProcess("fragile", loading)  # type: ignore[arg-type]  # one of two
    with pytest.raises(error, match=r"no such model|SIGABRT"):
        await model.start()
    await model.close()


async def test_a_model_that_cannot_be_loaded_again_is_given_up(tmp_path: Path) -> None:
    model = ModelProcess("fragile", functools.partial(load_once, tmp_path / "loaded"))
    await model.start()
    try:
        with pytest.raises(ModelLost):
            await model.run(_LONG_S, Fragile.segfaults)
        assert await asyncio.wait_for(model.gone(), 10) == "no memory left"
        with pytest.raises(ModelGone):
            await model.run(_LONG_S, Fragile.greet, "you")
    finally:
        await model.close()


async def test_one_that_is_lost_again_and_again_is_given_up() -> None:
    async with _fragile() as model:
        for _ in range(3):
            with pytest.raises(ModelLost):
                await model.run(_LONG_S, Fragile.segfaults)
        assert "lost 6 times" in await asyncio.wait_for(model.gone(), 30)


async def test_closing_ends_the_process_and_what_runs_in_it() -> None:
    async with _fragile() as model:
        child = psutil.Process(model.pid)
        step = asyncio.ensure_future(model.run(_LONG_S, Fragile.sleeps, 60))
        await asyncio.sleep(0.1)
    with pytest.raises(ModelLost):
        await step
    assert not child.is_running()


async def test_a_worker_that_is_killed_leaves_no_model_behind() -> None:
    """Not even one whose model computes, and would not look at its socket for a minute."""
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fence.one_step", "60", "60", cwd=ROOT, stdout=subprocess.PIPE
    )
    assert worker.stdout is not None
    try:
        assert await asyncio.wait_for(worker.stdout.readline(), 30) == b"began\n"
        [child] = psutil.Process(worker.pid).children()
    finally:
        worker.kill()
    try:
        await until(lambda: not child.is_running(), "the end of the model's process")
    finally:
        if child.is_running():
            child.kill()
        await worker.wait()


def test_a_model_is_counted_before_anything_happens_to_it() -> None:
    ModelProcess("not yet loaded", load_nothing)
    for how in ("crashed", "hung"):
        labels = {"model": "not yet loaded", "how": how}
        assert REGISTRY.get_sample_value("dialtone_model_losses_total", labels) == 0
    assert REGISTRY.get_sample_value("dialtone_model_ready", {"model": "not yet loaded"}) == 0
