"""Runs a vad-asr worker: `python -m dialtone.vad_asr`."""

from dialtone.bus import Stage
from dialtone.settings import read_settings
from dialtone.vad_asr.service import load
from dialtone.vad_asr.settings import EarsSettings
from dialtone.worker import run_worker


def main() -> None:
    settings = read_settings(EarsSettings)
    run_worker(service="vad-asr", stage=Stage.ASR, settings=settings, load=lambda: load(settings))


if __name__ == "__main__":
    main()
