"""The speech worker: `python -m dialtone.tts`."""

from dialtone.bus import Stage
from dialtone.settings import read_settings
from dialtone.tts.loading import load
from dialtone.tts.settings import TtsSettings
from dialtone.worker import Loaded, run_worker


def main() -> None:
    """Run until told to stop."""
    settings = read_settings(TtsSettings)

    async def loaded() -> Loaded:
        return await load(settings)

    run_worker(service="tts", stage=Stage.TTS, settings=settings, load=loaded)


if __name__ == "__main__":
    main()
