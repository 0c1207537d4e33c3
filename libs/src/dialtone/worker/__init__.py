"""The main of every worker process."""

from dialtone.worker.process import Loaded, run_worker

__all__ = ["Loaded", "run_worker"]
