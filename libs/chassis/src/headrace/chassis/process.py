"""What every process of ours has in common, a service as well as a replica of the inference server."""

import contextlib
import gc
from collections.abc import Iterator

import uvicorn


class HttpServer(uvicorn.Server):
    """uvicorn without signal handlers of its own."""

    def leave(self) -> None:
        """Take no more requests and finish those in hand."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours."""
        yield


def calm_collector(young: int = 10_000) -> None:
    """What is loaded by now stays; the garbage collector need not walk over it while requests and events wait.

    `young` objects may wait to be looked at: 50,000 of them keep some 30 MB more than 10,000.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, 20, 50)
