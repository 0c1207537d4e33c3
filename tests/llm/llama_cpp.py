"""llama.cpp's own server with its own listener, as `llama-server` has it, in a process beside the tests."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from dialtone.models import ModelMissing, locate
from tests.fixtures.chat_server import API_KEY
from tests.llm.documented import documented

_MODEL = "qwen2.5-coder-0.5b"
_SERVE = """
import json, sys, threading, xllamacpp
options = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = options["model"]
params.hostnames, params.port, params.api_keys = ["127.0.0.1"], options["port"], [options["key"]]
params.n_parallel, params.n_ctx, params.n_batch, params.n_ubatch = 2, 4096, 64, 64
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
params.ui, params.verbosity, params.use_jinja = False, 0, True
server = xllamacpp.Server(params)
threading.Event().wait()
"""


@contextmanager
def llama_cpp_server() -> Iterator[Mapping[str, Any]]:
    """What changes in the documented entry so that it reaches the server."""
    try:
        model = next(locate(_MODEL).glob("*.gguf"))
    except ModelMissing as missing:
        pytest.skip(str(missing))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = json.dumps({"model": str(model), "port": port, "key": API_KEY})
    environment = {**os.environ, "GOMP_SPINCOUNT": "3000"}
    process = subprocess.Popen([sys.executable, "-c", _SERVE, options], env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while not _answers(url):
            assert process.poll() is None, "llama.cpp's server ended"
            assert time.monotonic() < deadline, "llama.cpp's server did not start"
            time.sleep(0.2)
        limits = {"first_token_s": 60.0, "inter_token_s": 30.0}
        changed = {"base_url": f"{url}/v1", "context_window": 2048, "temperature": 0.2, "limits": limits}
        yield {**documented()["llama-cpp"], **changed, "api_key": API_KEY}
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health", timeout=2).status_code == 200
    except httpx2.HTTPError:
        return False
