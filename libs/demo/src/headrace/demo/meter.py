"""How much memory a stack takes: the proportional set sizes of its processes, sampled while the story runs."""

import threading
from collections.abc import Iterable

import psutil

EVERY = 1.0  # seconds between two samples


class Meter:
    """Samples the memory of process trees in the background; `peak` is in bytes."""

    def __init__(self, roots: Iterable[int]) -> None:
        self._roots = list(roots)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.peak = 0

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            self.peak = max(self.peak, sum(map(_memory, self._processes())))

    def _processes(self) -> set[psutil.Process]:
        found: set[psutil.Process] = set()
        for root in self._roots:
            try:
                process = psutil.Process(root)
                found |= {process, *process.children(recursive=True)}
            except psutil.NoSuchProcess:
                continue
        return found


def _memory(process: psutil.Process) -> int:
    """Bytes of a process, shared pages counted in parts where the system tells (PSS), else its resident set."""
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", 0) or full.rss)
    except psutil.Error:
        return 0
