"""A job ends at its limit, whoever is away."""

import signal
import subprocess
import sys
import time

import pytest

STUCK = """
import re
from headrace.trainer.worker.limit import at_most_for
with at_most_for(0.2, grace=0.3):
    re.match(r"(a+)+$", "a" * 60 + "b")  # years in C, without ever letting go of the interpreter
"""
DONE = """
import time
from headrace.trainer.worker.limit import at_most_for
with at_most_for({seconds}, grace=0.1):
    pass
time.sleep(0.4)
print("still here")
"""


def test_native_code_that_keeps_the_interpreter_is_ended() -> None:
    """By the kernel: neither a thread nor a signal handler in Python could."""
    began = time.monotonic()

    ended = subprocess.run([sys.executable, "-c", STUCK], check=False, timeout=60)

    assert ended.returncode == -signal.SIGALRM
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("seconds", ["0.1", "None"])
def test_a_job_that_is_done_in_time_leaves_its_process_alone(seconds: str) -> None:
    """The worker goes on to the next job."""
    ended = subprocess.run(
        [sys.executable, "-c", DONE.format(seconds=seconds)], capture_output=True, text=True, check=False, timeout=60
    )

    assert (ended.returncode, ended.stdout) == (0, "still here\n")
