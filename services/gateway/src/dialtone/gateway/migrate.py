"""`python -m dialtone.gateway.migrate`: bring the tables of DATABASE_URL up to date, as who may change them.

A gateway does so itself when it starts. Where it may write rows only, this runs before it, as the tables'
owner.
"""

from __future__ import annotations

import asyncio
import sys

from dialtone.gateway.settings import GatewaySettings
from dialtone.gateway.stores.errors import StoreUnavailable
from dialtone.gateway.stores.migrate import migrate
from dialtone.settings import read_settings
from dialtone.telemetry import configure_logging, get_logger

log = get_logger(__name__)


def main() -> None:
    settings = read_settings(GatewaySettings)
    configure_logging("migrate", level=settings.log_level, form=settings.log_format)
    try:
        asyncio.run(migrate(settings.database_url))
    except StoreUnavailable as error:
        log.error("cannot migrate", error=str(error))
        sys.exit(1)
    log.info("the tables are up to date")


if __name__ == "__main__":
    main()
