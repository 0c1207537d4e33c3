"""A model whose steps do what models do when they break: natively, where Python cannot help itself."""

import ctypes
import os
import threading
import time
from pathlib import Path


class Fragile:
    """Counts its steps, so that a process that was replaced shows."""

    def __init__(self, greeting: str) -> None:
        self.greeting = greeting
        self.steps = 0
        self._lock = threading.Lock()

    def greet(self, name: str) -> str:
        return f"{self.greeting}, {name}"

    def pid(self) -> int:
        return os.getpid()

    def raises(self) -> None:
        raise ValueError("no such phoneme")

    def raises_what_cannot_be_pickled(self) -> None:
        class Local(Exception):
            pass

        raise Local("here only")

    def gives_what_cannot_be_pickled(self) -> object:
        return self._lock

    def segfaults(self) -> None:
        ctypes.string_at(0)

    def aborts(self) -> None:
        os.abort()

    def sleeps(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"

    def computes(self, seconds: float) -> str:
        """Take so much of a processor's time."""
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass
        return "computed"

    def says_so_and_sleeps(self, seconds: float) -> str:
        print("began", flush=True)
        time.sleep(seconds)
        return "slept"

    def holds_the_interpreter(self) -> None:
        ctypes.PyDLL(None).sleep(60)

    def counted(self) -> int:
        """How many steps that count this process has run."""
        self.steps += 1
        return self.steps

    def crashes_once(self, marker: Path, after_s: float = 0.0) -> str:
        """Crash in the first process that runs it."""
        self.steps += 1
        if not marker.exists():
            marker.touch()
            time.sleep(after_s)
            ctypes.string_at(0)
        return "well"


def load(greeting: str) -> Fragile:
    return Fragile(greeting)


def load_nothing() -> Fragile:
    raise FileNotFoundError("no such model")


def load_and_crash() -> Fragile:
    os.abort()


def load_once(marker: Path) -> Fragile:
    """Load in the first process alone."""
    if marker.exists():
        raise MemoryError("no memory left")
    marker.touch()
    return Fragile("Hello")
