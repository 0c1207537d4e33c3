"""llama.cpp in a process of its own, reached over a private UNIX socket.

The binding embeds llama.cpp's whole server, whose listener cannot be switched off; it is put on a socket in
a folder that only this user may enter, behind a random key, instead of a TCP port. Requests go through it
and not through the binding's callbacks, because those cannot stop a prompt that is being computed and hold
a thread for each turn, and because only here does the model's own template and tokenizer count a
conversation's tokens. A closed connection stops generation between two tokens, and a prompt between two
batches.

A crash breaks the connections of the turns that are answered; the next process listens at the same place.
Whether it hangs is asked while there are turns: it says what its slots do between any two batches.
"""

import asyncio
import contextlib
import functools
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from dialtone.fence import ModelProcess
from dialtone.llm.local_loss import LocalModelLost
from dialtone.telemetry import get_logger
from dialtone.vendors.failures import UpstreamFailure

log = get_logger(__name__)

_LOAD_S = 120.0
_SEEN_S = 1
_PIECES = 10
_REUSED_STRETCH = 16  # tokens: what follows the turns that a trim cut out is moved up, not computed again
_SPARE_HTTP_THREADS = 4  # token counts go through while every slot and as many waiting turns hold a thread


@dataclass(frozen=True, slots=True)
class LlamaOptions:
    """How a model is run. `context` is in tokens per slot; a model that is silent for `hang_s` hangs."""

    threads: int
    spin: int
    parallel: int
    context: int
    batch: int
    cache_mib: int
    hang_s: float = 10.0


class LlamaServer:
    """A loaded model. Make it with `start`, end it with `close`."""

    def __init__(self, model: ModelProcess[Any], folder: Path, client: httpx2.AsyncClient) -> None:
        self.model = model
        self.client = client
        self._folder = folder
        self._changed = asyncio.Condition()
        self._turns = 0
        self._one_by_one = 0  # turns to be answered alone: one of as many lost the model
        self._lost_pid = self._lost_turns = 0  # the process lost last, and how many were in it
        self._watching: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, model: Path, options: LlamaOptions) -> "LlamaServer":
        """Load the model; takes seconds. RuntimeError when it cannot be loaded."""
        folder = Path(tempfile.mkdtemp(prefix="llama-"))  # mode 0700
        key = secrets.token_urlsafe(24)
        socket = folder / "llama.sock"
        process = ModelProcess("llama", functools.partial(_load, model, options, socket, key))
        try:
            await process.start()
        except BaseException:
            await process.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        transport = httpx2.AsyncHTTPTransport(
            uds=str(socket),
            # Its connections cost nothing to make, and it closes kept ones without a word.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )
        client = httpx2.AsyncClient(
            transport=transport,
            base_url="http://llama/",
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx2.Timeout(None, connect=5.0),
            trust_env=False,
        )
        log.info("model loaded", model=model.name, threads=options.threads, parallel=options.parallel)
        server = cls(process, folder, client)
        server._watching = asyncio.create_task(server._watch(options.hang_s))
        return server

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Answer a turn inside the block, in which a lost process shows as LocalModelLost.

        Waits for a process. The turns among which it was lost are followed by as many that are answered one
        by one: the one that it was then shows. Raises ModelGone.
        """
        if not self.model.ready:
            await self.model.run(_LOAD_S, _ready)
        async with self._changed:
            await self._changed.wait_for(lambda: not self._turns or not self._one_by_one)
            self._turns += 1
        alone = self._one_by_one > 0
        pid = self.model.pid
        try:
            yield
        except UpstreamFailure as failure:
            if not await self._lost(pid, failure):
                raise
            if self._lost_pid != pid:  # the first of those that were in it
                self._lost_pid, self._lost_turns = pid, self._turns
                self._one_by_one = self._turns if self._turns > 1 else 0
            raise LocalModelLost(failure.message, alone=self._lost_turns == 1) from failure
        finally:
            async with self._changed:
                self._turns -= 1
                if alone:
                    self._one_by_one = max(0, self._one_by_one - 1)
                self._changed.notify_all()

    async def _lost(self, pid: int, failure: UpstreamFailure) -> bool:
        """Whether the process failed, not the request. A connection breaks a moment before that is seen."""
        if failure.code not in ("upstream_cut", "upstream_unreachable"):
            return False
        for _ in range(_SEEN_S * 100):
            if self.model.pid != pid:
                return True
            await asyncio.sleep(0.01)
        return False

    async def _watch(self, hang_s: float) -> None:
        """Replace a process that says nothing of itself for so long, though there are turns."""
        while True:
            await asyncio.sleep(hang_s / _PIECES)
            if not self._turns or not self.model.ready:
                continue
            asking = asyncio.create_task(self._ask())
            # In pieces: a time in which this process did not run is no time in which that one hung.
            for _ in range(_PIECES):
                await asyncio.wait({asking}, timeout=hang_s / _PIECES)
            if not asking.done():
                self.model.kill()
            asking.cancel()
            await asyncio.wait({asking})

    async def _ask(self) -> None:
        with contextlib.suppress(
            httpx2.HTTPError
        ):  # an answer all the same: the process ended, or is loading
            await self.client.get("slots")

    async def supports_tools(self) -> bool:
        """Whether the model's chat template has a place for tools."""
        response = await self.client.get("props")
        response.raise_for_status()
        return bool(response.json().get("chat_template_caps", {}).get("supports_tools"))

    async def count_tokens(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> int:
        """Count a prompt's tokens by the model's own template and tokenizer. httpx2.HTTPError on failure."""
        body = {"messages": messages} | ({"tools": tools} if tools else {})
        response = await self.client.post("v1/chat/completions/input_tokens", json=body)
        response.raise_for_status()
        return int(response.json()["input_tokens"])

    async def close(self) -> None:
        """Stop computing and free the model."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching})
        await self.client.aclose()
        await self.model.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _load(model: Path, options: LlamaOptions, socket: Path, key: str) -> Any:
    socket.unlink(missing_ok=True)  # of a process that crashed
    # Read once, when OpenMP's library is loaded with the binding.
    os.environ.setdefault("GOMP_SPINCOUNT", str(options.spin))
    try:
        import xllamacpp
    except ImportError as error:
        raise RuntimeError("local models need the extra: pip install 'dialtone-llm[local]'") from error
    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.n_parallel = options.parallel
    params.n_ctx = options.context * options.parallel
    params.n_batch = params.n_ubatch = options.batch
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads
    params.cache_ram_mib = options.cache_mib
    params.n_cache_reuse = _REUSED_STRETCH
    params.hostnames = [str(socket)]
    params.api_keys = [key]
    params.n_threads_http = 2 * options.parallel + _SPARE_HTTP_THREADS
    params.ui = False
    params.endpoint_slots = True
    params.verbosity = 0
    return xllamacpp.Server(params)


def _ready(_server: Any) -> None:
    """Do nothing, as soon as there is a process to do it."""
