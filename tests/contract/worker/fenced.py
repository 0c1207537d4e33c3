"""A worker whose model is `tests.fence.fragile`; a turn's model names the step that it runs.

Where LOADS_ONCE names a file that is not there, the model can be loaded but once.

It runs as any service does: python -m tests.contract.worker.fenced
"""

import functools
import os
from pathlib import Path

from dialtone.bus import HandBack, Lease, Stage, WorkError
from dialtone.fence import ModelGone, ModelLost, ModelProcess
from dialtone.settings import ServiceSettings
from dialtone.v1.turn_pb2 import TextDelta
from dialtone.worker import Loaded, run_worker
from tests.fence.fragile import Fragile, load, load_once

STEP_S = 2.0


async def loaded() -> Loaded:
    once = os.environ.get("LOADS_ONCE")
    loading = functools.partial(load_once, Path(once)) if once else functools.partial(load, "Hello")
    model = ModelProcess("fragile", loading, threads=4)
    await model.start()

    async def handler(lease: Lease) -> None:
        try:
            match lease.work.turn.model:
                case "segfaults":
                    await model.run(STEP_S, Fragile.segfaults)
                case "hangs":
                    await model.run(STEP_S, Fragile.sleeps, 60.0)
                case "sleeps":
                    await lease.send(text=TextDelta(text="begun"))
                    await model.run(STEP_S, Fragile.sleeps, 0.5)
                case name:
                    await lease.send(text=TextDelta(text=await model.run(STEP_S, Fragile.greet, name)))
        except ModelGone as gone:
            raise HandBack(str(gone)) from gone
        except ModelLost as lost:
            raise WorkError("model_lost", str(lost)) from lost

    return Loaded(handler, slots=4, close=model.close, models=(model,))


if __name__ == "__main__":
    run_worker(service="fenced", stage=Stage.LLM, settings=ServiceSettings(), load=loaded)
