"""The environment of a service's container, moved here: addresses, folders and ports are those of a test."""

from __future__ import annotations

import os
from pathlib import Path

from tests.deploy.broker import Broker
from tests.deploy.cluster_secrets import Secrets
from tests.deploy.rendered import environment, one, overlay, pod_of
from tests.deploy.store_servers import Store
from tests.fixtures.nats import free_port


def service_environment(
    name: str,
    secrets: Secrets,
    broker: Broker,
    store: Store,
    tables: Store,
    folder: Path,
    *,
    init: bool = False,
) -> dict[str, str]:
    """Variables of a service of the laptop's overlay; with `init`, those of what runs before it.

    What is mounted for the service alone is below `folder`.
    """
    if name == "gateway" and not (folder / "keys").exists():
        secrets.write("gateway-keys", folder / "keys")
    pod = pod_of(one(overlay("laptop"), "Deployment", name))
    container = pod["initContainers" if init else "containers"][0]
    variables = secrets.resolved(environment(overlay("laptop"), container))
    moves = {
        "tls://nats:4222": broker.url,
        "@valkey:6379": f"@localhost:{store.port}",
        "rediss://": "redis://",  # see store_servers.py
        "/0?ssl_ca_certs=/etc/dialtone/ca/ca.crt": "/0",
        "@postgres:5432": f"@localhost:{tables.port}",
        "/etc/dialtone/ca": str(broker.ca_file.parent),
        "/etc/dialtone/keys": str(folder / "keys"),
    }
    for here, there in moves.items():
        variables = {key: value.replace(here, there) for key, value in variables.items()}
    for port in ("HTTP_PORT", "METRICS_PORT"):
        if port in variables:
            variables[port] = str(free_port())
    # The test's machine is not to be reached from elsewhere.
    return {"PATH": os.environ["PATH"], **variables, "HTTP_HOST": "127.0.0.1", "REQUIRE_TLS": "false"}
