"""Runs a Moshi worker: `python -m dialtone.llm.moshi`."""

from dialtone.bus import Stage
from dialtone.llm.moshi.service import load
from dialtone.llm.moshi.settings import MoshiSettings
from dialtone.settings import read_settings
from dialtone.worker import run_worker


def main() -> None:
    """Run until told to stop."""
    settings = read_settings(MoshiSettings)
    run_worker(service="moshi", stage=Stage.MOSHI, settings=settings, load=lambda: load(settings))


if __name__ == "__main__":
    main()
