"""The autoscaling policy, tried on a simulated day: `python -m tests.load.autoscale_sim`."""
