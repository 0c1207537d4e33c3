"""Files from the Hugging Face hub, by its own client: it resumes what was interrupted.

The hub may be out of reach (no route, no name server, HF_HUB_OFFLINE). One question with a short limit finds
that out, since the client itself retries for half a minute; then it is not asked again in this run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from httpx2 import HTTPError
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, snapshot_download
from huggingface_hub.constants import ENDPOINT
from huggingface_hub.errors import HfHubHTTPError
from tqdm.auto import tqdm  # type: ignore[import-untyped]

HEAD_TIMEOUT_S = 4.0
T = TypeVar("T")


class HubUnavailable(Exception):
    """The hub cannot be reached, or does not have the file."""


class HubClient:
    """Downloads from the hub until it is found to be out of reach; `reachable` tells."""

    def __init__(self, endpoint: str = ENDPOINT) -> None:
        self.reachable = True
        self._endpoint = endpoint
        self._answered = False

    def download(
        self, repo: str, revision: str | None, path: str, into: Path, on_bytes: Callable[[int], None]
    ) -> Path:
        """Fetch one file into the folder `into` (blocking), resuming what lies there.

        `on_bytes` is told of bytes as they arrive. Raises HubUnavailable.
        """

        bar = _counter(on_bytes)

        def ask() -> str:
            return hf_hub_download(
                repo, path, revision=revision, local_dir=into, tqdm_class=bar, endpoint=self._endpoint
            )

        self.probe(repo, revision, path)
        return Path(self._ask(ask))

    def probe(self, repo: str, revision: str | None, path: str) -> None:
        """Find out (blocking, once) whether the hub answers at all. Raises HubUnavailable."""
        if not self._answered:
            url = hf_hub_url(repo, path, revision=revision, endpoint=self._endpoint)
            self._ask(lambda: get_hf_file_metadata(url, timeout=HEAD_TIMEOUT_S))
            self._answered = True

    def download_all(self, repo: str, into: Path) -> Path:
        """Fetch a whole repository into the folder `into` (blocking), with the client's own progress bars.

        Raises HubUnavailable.
        """

        self.probe(repo, None, ".gitattributes")  # which every repository has
        return Path(self._ask(lambda: snapshot_download(repo, local_dir=into, endpoint=self._endpoint)))

    def _ask(self, call: Callable[[], T]) -> T:
        if not self.reachable:
            raise HubUnavailable("the hub was out of reach before")
        try:
            return call()
        except HfHubHTTPError as refusal:  # it answered: only this repository or file is not to be had
            self._answered = True
            raise HubUnavailable(_first_line(refusal)) from refusal
        except (OSError, HTTPError) as failure:
            self.reachable = False
            raise HubUnavailable(_first_line(failure)) from failure


def _first_line(failure: BaseException) -> str:
    return (str(failure).splitlines() or [type(failure).__name__])[0]


def _counter(on_bytes: Callable[[int], None]) -> type[Any]:
    """Make the progress-bar class that the client wants out of a plain callback."""

    class Counter(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)  # the client's own bars take it, tqdm does not
            super().__init__(*args, **{**kwargs, "disable": False})
            on_bytes(int(self.initial or 0))

        def update(self, n: float | None = 1) -> None:
            on_bytes(int(n or 0))
            super().update(n)

        def display(self, *_args: Any, **_kwargs: Any) -> None:
            """Draw nothing: whoever gave the callback shows the progress."""

    return Counter
