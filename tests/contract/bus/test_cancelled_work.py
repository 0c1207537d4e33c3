"""Work of every stage that was cancelled while it waited is acked without anybody's having seen it."""

import asyncio

import pytest

from dialtone.bus import Bus, Lease, LeaseWorker, Stage
from dialtone.settings import BusSettings
from dialtone.v1.ears_pb2 import EarsLeg
from dialtone.v1.lease_pb2 import Grant
from dialtone.v1.moshi_pb2 import MoshiLeg
from dialtone.v1.speech_pb2 import Sentence
from dialtone.v1.turn_pb2 import LlmTurn
from dialtone.v1.work_pb2 import Work
from tests.contract.bus.call_side import CallSide, until
from tests.contract.bus.queue_state import QueueState

_WORK = {
    Stage.ASR: Work(ears=EarsLeg()),
    Stage.LLM: Work(turn=LlmTurn(response_id="r1")),
    Stage.TTS: Work(sentence=Sentence(response_id="r1", text="Hello.")),
    Stage.MOSHI: Work(moshi=MoshiLeg(model="sft")),
}


@pytest.mark.parametrize("stage", list(Stage))
async def test_cancelled_work_leaves_the_queue_unseen(
    bus: Bus, bus_settings: BusSettings, stage: Stage
) -> None:
    seen: list[str] = []

    async def handler(lease: Lease) -> None:
        seen.append(lease.lease_id)

    await bus.ensure_stage(stage, "default")
    call = await CallSide(bus, "call-1").open()
    call.grant = lambda claim: Grant(granted=claim.lease_id == "wanted", reason="cancelled")
    for lease_id in ("l1", "l2", "wanted"):
        work = Work(lease_id=lease_id, call_id="call-1", session_id="s1")
        work.MergeFrom(_WORK[stage])
        await bus.submit(stage, "default", work)
    # However busy the machine is: what is not answered soon is begun.
    patient = bus_settings.model_copy(update={"lease_claim_patience_s": 5.0})
    worker_bus = await Bus.connect(patient, name="worker")
    worker = LeaseWorker(worker_bus, stage, handler, slots=1, worker_id="w1")
    running = asyncio.create_task(worker.run())
    try:
        await until(lambda: seen == ["wanted"], "the work that is wanted")
        await QueueState(bus, stage).empties()
        assert call.attempts("l1") == call.attempts("l2") == [0]
        assert not call.of("failed")
    finally:
        running.cancel()
        await asyncio.wait({running})
        await worker_bus.close()
        await call.close()
