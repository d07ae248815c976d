"""What libraries say while a job works: their warnings, and what they print."""

import io
import sys
import warnings
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from types import TracebackType
from typing import Self

MOST_WARNINGS = 20  # different ones; a loop that warns of every row says nothing new after that
LOG_CHARS = 16_000  # the end of what was printed: where a failure is
_FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning, FutureWarning)


class Captured:
    """A context in which warnings and prints of this process are kept."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._printed = io.StringIO()
        self._warned: list[warnings.WarningMessage] = []

    def __enter__(self) -> Self:
        self._warned = self._stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        self._stack.enter_context(redirect_stdout(_Copied(self._printed, sys.stdout)))
        self._stack.enter_context(redirect_stderr(_Copied(self._printed, sys.stderr)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def warnings(self) -> list[str]:
        """Each different warning once, in order, those for the developers of libraries apart."""
        told = (each for each in self._warned if not issubclass(each.category, _FOR_DEVELOPERS))
        found = list(dict.fromkeys(f"{each.category.__name__}: {' '.join(str(each.message).split())}" for each in told))
        more = len(found) - MOST_WARNINGS
        return found if more <= 0 else [*found[:MOST_WARNINGS], f"and {more} more"]

    @property
    def log(self) -> str:
        """The end of what was printed."""
        return self._printed.getvalue()[-LOG_CHARS:]


class _Copied(io.TextIOBase):
    """Text that is kept, and goes where it went before."""

    def __init__(self, kept: io.StringIO, onward: io.TextIOBase | object) -> None:
        self._kept = kept
        self._onward = onward

    def write(self, text: str) -> int:
        """Keep the text and pass it on."""
        self._kept.write(text)
        getattr(self._onward, "write", lambda _: None)(text)
        return len(text)
