"""Proofs that the edge holds: one file for each kind of stranger."""
