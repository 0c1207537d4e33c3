"""Load as callers make it: `make load`, or locust by itself with tests/load/locustfile.py."""
