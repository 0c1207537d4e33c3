"""Moshi: full-duplex speech to speech, many calls at once from one model."""

import os

# Read by the package `moshi` when it is imported, and so set before: it would compile small functions as it
# first meets them, for minutes and with a C++ compiler, in the thread that takes the steps. "" lets it.
os.environ.setdefault("NO_TORCH_COMPILE", "1")
