"""llama.cpp inside this process, reached over a private UNIX socket.

The binding embeds llama.cpp's whole server, whose listener cannot be switched off; it is put on a socket in
a folder that only this user may enter, behind a random key, instead of a TCP port. Requests go through it
and not through the binding's callbacks, because those cannot stop a prompt that is being computed and hold
a thread for each turn, and because only here does the model's own template and tokenizer count a
conversation's tokens. A closed connection stops generation between two tokens, and a prompt between two
batches.
"""

import asyncio
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dialtone.telemetry import get_logger

log = get_logger(__name__)

_REUSED_STRETCH = 16  # tokens: what follows the turns that a trim cut out is moved up, not computed again
_SPARE_HTTP_THREADS = 4  # token counts go through while every slot and as many waiting turns hold a thread


@dataclass(frozen=True, slots=True)
class LlamaOptions:
    """How a model is run. `context` is in tokens per slot."""

    threads: int
    spin: int
    parallel: int
    context: int
    batch: int
    cache_mib: int


class LlamaServer:
    """A loaded model. Make it with `start`, end it with `close`."""

    def __init__(self, server: Any, folder: Path, client: httpx.AsyncClient) -> None:
        self._server = server
        self._folder = folder
        self.client = client

    @classmethod
    async def start(cls, model: Path, options: LlamaOptions) -> "LlamaServer":
        """Load the model; takes seconds. RuntimeError when it cannot be loaded."""
        folder = Path(tempfile.mkdtemp(prefix="llama-"))  # mode 0700
        key = secrets.token_urlsafe(24)
        socket = folder / "llama.sock"
        try:
            server = await asyncio.to_thread(_load, model, options, socket, key)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        transport = httpx.AsyncHTTPTransport(
            uds=str(socket),
            # Its connections cost nothing to make, and it closes kept ones without a word.
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        client = httpx.AsyncClient(
            transport=transport,
            base_url="http://llama/",
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(None, connect=5.0),
            trust_env=False,
        )
        log.info("model loaded", model=model.name, threads=options.threads, parallel=options.parallel)
        return cls(server, folder, client)

    async def supports_tools(self) -> bool:
        """Whether the model's chat template has a place for tools."""
        response = await self.client.get("props")
        response.raise_for_status()
        return bool(response.json().get("chat_template_caps", {}).get("supports_tools"))

    async def count_tokens(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> int:
        """Count a prompt's tokens by the model's own template and tokenizer. httpx.HTTPError on failure."""
        body = {"messages": messages} | ({"tools": tools} if tools else {})
        response = await self.client.post("v1/chat/completions/input_tokens", json=body)
        response.raise_for_status()
        return int(response.json()["input_tokens"])

    async def close(self) -> None:
        """Stop computing and free the model."""
        await self.client.aclose()
        server, self._server = self._server, None
        await asyncio.to_thread(_free, [server])
        del server
        shutil.rmtree(self._folder, ignore_errors=True)


def _load(model: Path, options: LlamaOptions, socket: Path, key: str) -> Any:
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
    params.endpoint_slots = False
    params.verbosity = 0
    return xllamacpp.Server(params)


def _free(last_reference: list[Any]) -> None:
    """Drop the server here, off the event loop: its end waits for its threads."""
    last_reference.clear()
