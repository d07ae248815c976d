"""Whether the job of this thread is asked to make a checkpoint soon, because a run that goes first needs its place."""

import threading
from contextvars import ContextVar

_NEVER = threading.Event()
_asked: ContextVar[threading.Event] = ContextVar("asked", default=_NEVER)


def listen(asked: threading.Event) -> None:
    """What the job of this thread hears from now on."""
    _asked.set(asked)


def checkpoint_asked() -> threading.Event:
    """Set while a checkpoint is asked for."""
    return _asked.get()
