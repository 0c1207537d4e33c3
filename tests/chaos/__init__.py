"""Faults injected into a running stack, and what callers hear of them: `python -m tests.chaos --help`."""
