"""What an operator sees of models in processes of their own."""

from prometheus_client import Counter, Gauge

MODEL_READY = Gauge("dialtone_model_ready", "1 while the model's process takes work", ["model"])
MODEL_LOSSES = Counter("dialtone_model_losses", "Processes of a model that crashed or hung", ["model", "how"])
