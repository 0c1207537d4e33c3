"""What an operator sees of models in processes of their own."""

from prometheus_client import Counter, Gauge

from dialtone.telemetry import shown_from_zero

MODEL_READY = Gauge("dialtone_model_ready", "1 while the model's process takes work", ["model"])
MODEL_LOSSES = Counter("dialtone_model_losses", "Processes of a model that crashed or hung", ["model", "how"])


def show_model(model: str) -> None:
    """Show a model that is about to be loaded."""
    MODEL_READY.labels(model).set(0)
    shown_from_zero(MODEL_LOSSES, (model, "crashed"), (model, "hung"))
