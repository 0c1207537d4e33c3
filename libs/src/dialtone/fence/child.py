"""The model's end of a `ModelProcess`: `python -m dialtone.fence.child FD...`, a socket for each thread.

It loads the model, runs the steps that come, and ends with its sockets. Whatever the model does to it, the
worker sees no more than that.
"""

import ctypes
import faulthandler
import os
import pickle
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Any

from dialtone.fence.frames import Opening, Outcome, receive, send
from dialtone.settings import ServiceSettings, read_settings
from dialtone.telemetry import configure_logging

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def serve(lanes: Sequence[socket.socket]) -> None:
    """Load, then run the steps of each socket in a thread of its own until the worker closes one."""
    opening: Opening = pickle.loads(receive(lanes[0]))
    settings = read_settings(ServiceSettings)
    configure_logging(opening.name, level=settings.log_level, form=settings.log_format)
    try:
        model = opening.load()
    except Exception as error:  # noqa: BLE001 - it is the worker that handles it
        send(lanes[0], Outcome(error=_portable(error)))
        return
    send(lanes[0], Outcome())
    for lane in lanes[1:]:
        threading.Thread(target=_run_steps, args=(model, lane), daemon=True).start()
    _run_steps(model, lanes[0])


def _run_steps(model: Any, lane: socket.socket) -> None:
    try:
        while True:
            outcome = _outcome(model, receive(lane))
            try:
                send(lane, outcome)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                send(lane, Outcome(error=_portable(error)))
    except (EOFError, OSError):
        os._exit(0)  # the worker is gone, or done with this; a model's threads may never end by themselves


def _outcome(model: Any, call: bytes) -> Outcome:
    try:
        step, args, kwargs = pickle.loads(call)
        return Outcome(value=step(model, *args, **kwargs))
    except Exception as error:  # noqa: BLE001 - it is the worker that handles it
        return Outcome(error=_portable(error))


def _portable(error: Exception) -> Exception:
    """Return an error that survives the way to the worker, with the traceback that it has here as a note."""
    try:
        portable = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever keeps it from being pickled
        portable = RuntimeError(f"{type(error).__name__}: {error}")
    assert isinstance(portable, Exception)
    portable.add_note("".join(traceback.format_exception(error)))
    return portable


def main() -> None:
    """Serve on the sockets that were handed down."""
    faulthandler.enable()  # where native code crashed is worth some lines to whoever looks for the reason
    # A step that holds the interpreter lock would never see its socket close: the kernel ends it then.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # may go to a whole process group: the worker ends this one
    serve([socket.socket(fileno=int(number)) for number in sys.argv[1:]])


if __name__ == "__main__":
    main()
