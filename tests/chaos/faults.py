"""What is done to the stack, at which moment of a turn."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass

from tests.chaos.machines import Stack
from tests.chaos.tap import Moment, Phase, Tap
from tests.chaos.worker import BLOCK
from tests.fixtures.nats_proxy import Cut

Inject = Callable[[Stack, int], Awaitable[None]]
_TAKEN_S = 8.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens to the worker of `role` that works for the call; without a role, to a server.

    `after_s`: at random up to this long after the phase has begun. `outage`: clients may be told that the
    service is not available, as long as they get their answers. `lasts_s`: for so long nothing can be said.
    `comes_back`: the worker goes on as soon as another has taken up its work; `says_more`: and is certain to
    say something of it.
    """

    name: str
    phase: Phase
    inject: Inject
    role: str = ""
    after_s: float = 0.0
    outage: bool = False
    lasts_s: float = 0.0
    comes_back: bool = False
    says_more: bool = False

    @property
    def place(self) -> str:
        """Where it strikes, for a table."""
        return f"{self.role}, {self.phase}" if self.role else str(self.phase)

    def __str__(self) -> str:
        return f"{self.name} ({self.place})"

    async def strike(self, stack: Stack, tap: Tap, moment: Moment, chance: random.Random) -> set[str]:
        """Do it; the calls that it hits."""
        if self.after_s:
            await asyncio.sleep(chance.uniform(0, self.after_s))
        if not self.role:
            await self.inject(stack, 0)
            return tap.calls
        pid = tap.holder(moment.call_id, self.role)
        assert pid is not None, f"nobody holds work of {self.role} for the call in {self.phase}"
        hit = tap.calls_of(pid)
        await self.inject(stack, pid)
        if self.comes_back:
            with suppress(TimeoutError):  # the silence tells
                async with asyncio.timeout(_TAKEN_S):
                    await tap.taken_from(pid)
            stack.thaw()
        return hit


async def kill(stack: Stack, pid: int) -> None:
    """SIGKILL."""
    stack.worker(pid).signal(signal.SIGKILL)


async def freeze(stack: Stack, pid: int) -> None:
    """SIGSTOP; it goes on after the turn at the latest."""
    stack.freeze(pid)


async def drain(stack: Stack, pid: int) -> None:
    """SIGTERM: the worker is asked to leave."""
    stack.worker(pid).signal(signal.SIGTERM)


async def block(stack: Stack, pid: int) -> None:
    """Something in the worker stops its event loop for 2 s."""
    stack.worker(pid).signal(BLOCK)


def cut(way: Cut) -> Inject:
    """The network between the worker and the broker loses everything for 3 s, `way` or both ways."""

    async def inject(stack: Stack, pid: int) -> None:
        network = stack.worker(pid).network
        network.cut(way)
        await asyncio.sleep(3.0)
        network.heal()

    return inject


async def cut_gateway(stack: Stack, _pid: int) -> None:
    """The network between the gateway and the broker loses everything for 5 s."""
    stack.gateway.network.cut()
    await asyncio.sleep(5.0)
    stack.gateway.network.heal()


async def bad_network(stack: Stack, _pid: int) -> None:
    """For 5 s the broker is 200 ms away from everybody, and in each second 2 % of connections are reset."""
    chance = random.Random(time.monotonic())
    for machine in stack.machines:
        machine.network.delay_s = 0.1  # each way
    for _ in range(50):
        await asyncio.sleep(0.1)
        for machine in stack.machines:
            if chance.random() < 0.002:
                machine.network.reset()
    for machine in stack.machines:
        machine.network.delay_s = 0.0


async def confuse(stack: Stack, _pid: int) -> None:
    """For 5 s, 5 % of the messages come twice to whom they are for, and 5 % after the one behind them."""
    for machine in stack.machines:
        machine.network.duplicate = machine.network.swap = 0.05
    await asyncio.sleep(5.0)
    for machine in stack.machines:
        machine.network.duplicate = machine.network.swap = 0.0


async def reset_all(stack: Stack, _pid: int) -> None:
    """Every connection to the broker is reset."""
    for machine in stack.machines:
        machine.network.reset()


async def restart_broker(stack: Stack, _pid: int) -> None:
    """SIGKILL to nats-server, which is started again at once, with its files."""
    await asyncio.to_thread(stack.nats.restart)


async def broker_away(stack: Stack, _pid: int) -> None:
    """SIGKILL to nats-server, which is started again after 3 s."""
    stack.nats.kill()
    await asyncio.sleep(3.0)
    await asyncio.to_thread(stack.nats.start)


async def freeze_broker(stack: Stack, _pid: int) -> None:
    """nats-server stands still for 5 s."""
    stack.nats.freeze()
    await asyncio.sleep(5.0)
    stack.nats.thaw()


async def restart_valkey(stack: Stack, _pid: int) -> None:
    """SIGKILL to Valkey, which comes back after a second, empty."""
    stack.valkey.kill()
    await asyncio.sleep(1.0)
    await asyncio.to_thread(stack.valkey.start)


async def freeze_valkey(stack: Stack, _pid: int) -> None:
    """Valkey stands still for 10 s."""
    stack.valkey.freeze()
    await asyncio.sleep(10.0)
    stack.valkey.thaw()


async def lock_sql(stack: Stack, _pid: int) -> None:
    """Somebody else holds SQLite's lock for 10 s: nothing can be written."""

    def hold() -> None:
        with closing(sqlite3.connect(stack.database, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(10.0)
            connection.execute("ROLLBACK")

    await asyncio.to_thread(hold)


async def set_clocks(stack: Stack, _pid: int) -> None:
    """The clock of the gateway is set an hour ahead and those of workers an hour back, and the other way."""
    for hours in (1, -1):
        stack.gateway.clock.ahead_s = hours * 3600.0
        for worker in stack.workers:
            worker.clock.ahead_s = hours * -3600.0
        await asyncio.sleep(1.5)


BACK = "frozen, and back"
WORKERS = {
    "killed": kill,
    "frozen": freeze,
    BACK: freeze,
    "asked to leave": drain,
    "loop blocked 2 s": block,
    "cut off 3 s": cut("both"),
    "hears nothing 3 s": cut("to_client"),
    "not heard 3 s": cut("to_server"),
}
BROKER = {
    "broker restarted": restart_broker,
    "broker away 3 s": broker_away,
    "broker frozen 5 s": freeze_broker,
    "gateway cut off 5 s": cut_gateway,
    "bad network 5 s": bad_network,
    "connections reset": reset_all,
}
_NOBODY_IS_HEARD_S = {
    **{"broker away 3 s": 3.0, "broker frozen 5 s": 5.0, "gateway cut off 5 s": 5.0, "bad network 5 s": 5.0}
}
MESSAGES = {"messages twice, out of turn": confuse}
STORES = {
    "valkey restarted": restart_valkey,
    "valkey frozen 10 s": freeze_valkey,
    "sql locked 10 s": lock_sql,
}
CLOCKS = {"clocks set 1 h wrong": set_clocks}
_PLACES = (
    ("asr", Phase.LISTENING, 0.8),
    ("asr", Phase.RECOGNISING, 0.0),
    ("asr", Phase.SPEAKING, 0.0),
    ("llm", Phase.THINKING, 0.0),
    ("llm", Phase.ANSWERING, 0.3),
    ("tts", Phase.SPEAKING, 0.0),
)
_IN_THE_MIDDLE = (("llm", Phase.ANSWERING), ("tts", Phase.SPEAKING))
_MOMENTS = (
    (Phase.LISTENING, 0.8),
    (Phase.RECOGNISING, 0.0),
    (Phase.THINKING, 0.0),
    (Phase.ANSWERING, 0.3),
    (Phase.SPEAKING, 0.0),
)


def all_faults() -> list[Fault]:
    """Every fault at every place where it can strike."""
    of_workers = [
        Fault(
            name,
            phase,
            inject,
            role,
            after_s,
            comes_back=name == BACK,
            says_more=name == BACK and (role, phase) in _IN_THE_MIDDLE,
        )
        for name, inject in WORKERS.items()
        for role, phase, after_s in _PLACES
    ]
    of_servers = [
        Fault(
            name,
            phase,
            inject,
            after_s=after_s,
            outage=name in BROKER,
            lasts_s=_NOBODY_IS_HEARD_S.get(name, 0.0),
        )
        for name, inject in {**BROKER, **MESSAGES, **STORES, **CLOCKS}.items()
        for phase, after_s in _MOMENTS
    ]
    return [*of_workers, *of_servers]
