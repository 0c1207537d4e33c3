"""Makes the engine that the settings ask for, and the handler of Moshi leases."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from dialtone.audio import UnsupportedFormat
from dialtone.bus import Lease, WorkError
from dialtone.llm.moshi.engine import Engine
from dialtone.llm.moshi.leg import MoshiLeg
from dialtone.llm.moshi.settings import MoshiSettings
from dialtone.llm.moshi.simulated import SimulatedEngine
from dialtone.llm.moshi.utterances import Utterances
from dialtone.telemetry import bind_call, get_logger
from dialtone.worker import Loaded

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MoshiHandler:
    """Serves the stage's leases, each in a slot of the one engine."""

    settings: MoshiSettings
    engine: Engine

    async def __call__(self, lease: Lease) -> None:
        """Serves one leg. Raises WorkError for work that is none of this worker's."""
        bind_call(call_id=lease.call_id, session_id=lease.work.session_id)
        if not lease.work.HasField("moshi"):
            raise WorkError("wrong_stage", "this worker takes Moshi legs only")
        variant = self.settings.moshi_variant
        if lease.work.moshi.model != variant:
            raise WorkError("model_not_found", f"this worker serves {variant}, not {lease.work.moshi.model}")
        utterances = Utterances(self.settings.moshi_voice_dbfs, self.settings.moshi_pause_ms)
        try:
            leg = MoshiLeg(lease, self.engine, utterances)
            log.info("listening", attempt=lease.attempt)
            await leg.run()
        except UnsupportedFormat as error:
            raise WorkError("unsupported_format", str(error)) from error


class EngineHealth:
    """The engine as `run_worker` looks at it: ready until it fails, and then gone for good."""

    name = "moshi"

    def __init__(self, engine: Engine) -> None:
        self._failed = asyncio.create_task(self._wait(engine))

    @property
    def ready(self) -> bool:
        """Whether a call can be served."""
        return not self._failed.done()

    async def gone(self) -> str:
        """Wait until the engine cannot go on; return why."""
        return await asyncio.shield(self._failed)

    def close(self) -> None:
        """Look no longer."""
        self._failed.cancel()

    async def _wait(self, engine: Engine) -> str:
        failed = await engine.failed()
        log.error("the engine cannot go on", error=str(failed))
        return str(failed)


def make_engine(settings: MoshiSettings) -> Engine:
    """The engine, not started."""
    if settings.stages == "simulated":
        return SimulatedEngine(settings.moshi_slots)
    # Here, because torch is not there where stages are simulated, and takes seconds to import.
    from dialtone.llm.moshi.torch_engine import TorchEngine

    return TorchEngine(settings)


async def load(settings: MoshiSettings) -> Loaded:
    """What `run_worker` wants to know. Raises CannotLoad."""
    return await loaded(settings, make_engine(settings))


async def loaded(settings: MoshiSettings, engine: Engine) -> Loaded:
    """The same, of an engine that is started here. Raises CannotLoad."""
    try:
        await engine.start()
    except BaseException:
        await engine.close()
        raise
    health = EngineHealth(engine)

    async def close() -> None:
        health.close()
        await engine.close()

    return Loaded(handler=MoshiHandler(settings, engine), slots=engine.slots, close=close, models=[health])
