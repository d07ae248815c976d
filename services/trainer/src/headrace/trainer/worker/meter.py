"""What a job takes of its worker: seconds of processors, and the most memory."""

import contextlib
import os
import resource
from pathlib import Path

from headrace.trainer.worker.jobs import Used
from headrace.trainer.worker.memory import peak_resident

_FORGET_PEAK = "5"  # proc_pid_clear_refs(5): the peak of resident memory begins anew, at what is resident now
_MIB = 1 << 20


class Meter:
    """Measures one job of this process, which does one at a time. Child processes count once they have ended."""

    def __init__(self) -> None:
        self._children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self._peaks = _peak_forgotten()
        self._began = _cpu_seconds()

    def used(self) -> Used:
        """What was taken since the meter was made."""
        return Used(cpu_seconds=_cpu_seconds() - self._began, peak_memory_mb=self._peak_mb())

    def _peak_mb(self) -> float | None:
        """The larger one of this process and its largest child; None where the kernel does not begin peaks anew."""
        if not self._peaks:
            return None
        children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        largest_child = children * 1024 if children > self._children else 0
        return max(peak_resident(), largest_child) / _MIB


def _cpu_seconds() -> float:
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system


def _peak_forgotten() -> bool:
    """Begin the peak of this process anew; False where the kernel cannot, as in some sandboxes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)
        return True
    return False
