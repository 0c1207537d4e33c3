"""`python -m dialtone.models NAME...`: fetch and verify models into MODELS_DIR, saying a line a step.

For images and Jobs. In a checkout `make models` shows bars. Exit status 1: a model could not be had.
"""

import sys

from dialtone.models.cache import default_models_dir
from dialtone.models.fetch import FetchError, fetch


class _Lines:
    """Says what happens, for a log."""

    def say(self, text: str) -> None:
        print(text, flush=True)

    def start(self, name: str, step: str, total: int) -> None:
        self.say(f"{name}: {step} ({total / 1e6:.0f} MB)")

    def advance(self, count: int) -> None:
        """A log has no bars."""

    def done(self, name: str) -> None:
        self.say(f"{name}: verified")


def main() -> None:
    if not sys.argv[1:]:
        sys.exit("which models?")
    try:
        fetch(sys.argv[1:], default_models_dir(), _Lines())
    except FetchError as failure:
        sys.exit(f"models: {failure}")


if __name__ == "__main__":
    main()
