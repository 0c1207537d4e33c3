"""Counts the tasks of the event loop."""

import asyncio

from dialtone.telemetry.metrics import TASKS


def count_tasks() -> None:
    """Show the tasks of the running event loop in the metrics from now on; counted when somebody asks."""
    loop = asyncio.get_running_loop()
    TASKS.set_function(lambda: len(asyncio.all_tasks(loop)))
