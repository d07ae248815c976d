"""The end of a job that does not end: the kernel ends its process, whatever the model's code does.

The trainer ends a job at its limit by way of Ray. This is for when it cannot: the trainer or Ray is away, or native
code keeps the interpreter to itself, so that no thread and no handler of ours runs. SIGALRM's default needs neither.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

GRACE = 10.0  # seconds beyond the limit: time for the trainer to end the job itself, and to say why


@contextmanager
def at_most_for(seconds: float | None, grace: float = GRACE) -> Iterator[None]:
    """End this process after so many seconds and a grace, unless the job is done before; None is no limit."""
    if seconds is None:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds + grace)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
