"""Tests of Moshi's engine, with torch: `make test-moshi`."""

import dialtone.llm.moshi  # noqa: F401 - tells the package `moshi`, before it is imported, not to compile
