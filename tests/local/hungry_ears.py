"""An ears worker that eats all the memory it gets at SIGUSR1: `python -m tests.local.hungry_ears GROUP`.

GROUP is where a process joins the group that bounds its memory.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from dialtone.vad_asr.__main__ import main

_BITE = 4 * 2**20


def _eat() -> None:
    eaten = []
    while True:
        eaten.append(b"\1" * _BITE)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(str(os.getpid()))
    signal.signal(signal.SIGUSR1, lambda _number, _frame: threading.Thread(target=_eat, daemon=True).start())
    main()
