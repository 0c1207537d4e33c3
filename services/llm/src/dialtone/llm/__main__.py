"""The llm worker: `python -m dialtone.llm`."""

from dialtone.bus import Stage
from dialtone.llm.service import load
from dialtone.llm.settings import LlmSettings
from dialtone.settings import read_settings
from dialtone.worker import run_worker


def main() -> None:
    """Run until told to stop."""
    settings = read_settings(LlmSettings)
    run_worker(service="llm", stage=Stage.LLM, settings=settings, load=lambda: load(settings))


if __name__ == "__main__":
    main()
