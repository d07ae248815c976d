"""What the framework `code` needs to be told of a run: the package, its limits, and who hears of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Said:
    """One word of a program about how it goes."""

    step: int = 0
    of: int = 0
    message: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    checkpoint: str | None = None
    """A file or folder below the program's own that is to be kept, with the metrics at its step."""


@dataclass(frozen=True)
class Resumed:
    """A checkpoint of an attempt that was lost, from which this one goes on."""

    folder: Path
    """Its files."""
    step: int
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class CodeLimits:
    """What a program may take; memory and disk in bytes, for it and all that it starts together."""

    memory: int
    disk: int
    seconds: float | None = None
    processes: int = 256
    """Processes and threads."""
    threads: int = 1
    """Of libraries that compute: the processors that the run has."""
    network: bool = True


@dataclass(frozen=True)
class OwnCode:
    """A package to run, and how: either an entry `module:function`, or a command."""

    run: str

    package: Path
    """Its files."""
    scratch: Path
    """An empty folder of this run alone."""
    limits: CodeLimits
    hear: Callable[[Said], None]
    """Told of progress and metrics."""
    log: Callable[[bytes], None]
    """Told what the program prints, bounded."""
    checkpoint: Callable[[Path, Said], None]
    """Keeps a checkpoint: takes over a folder with a copy of it, and what was said of it. Returns before it is kept."""
    warn: Callable[[str], None]
    """Told what the author should know, though the run goes on."""
    entry: str | None = None
    command: Sequence[str] = ()
    python: Path | None = None
    """The interpreter of an environment of its own; unset: this one."""
    attempt: int = 1
    resume: Resumed | None = None
    asked: Callable[[], bool] = lambda: False
    """Whether it should make a checkpoint soon: another run needs its place."""
