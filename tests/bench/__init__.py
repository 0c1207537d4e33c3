"""Measurements. Never part of the default test run: `python -m tests.bench` runs them."""
