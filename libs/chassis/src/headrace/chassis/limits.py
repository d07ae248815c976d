"""How much one request may hold, and how often one caller may ask."""

import re
import time
from collections.abc import Callable

NESTING = 64  # levels of JSON; a declaration has seven
# possessive, and with or without its end: a string that is never closed is read once, not once from each of its quotes
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_MOST = 10_000  # callers whose buckets are remembered


class Limiter:
    """A token bucket for each caller, as the moment when it will be full again (GCRA)."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow `rate` requests a second, and `burst` at once; a rate of 0 allows everything."""
        self._interval = 1 / rate if rate else 0.0
        self._tolerance = self._interval * (burst - 1)
        self._clock = clock
        self._full_at: dict[str, float] = {}

    @property
    def limits(self) -> bool:
        """Whether there is a limit at all."""
        return bool(self._interval)

    def wait(self, caller: str) -> float:
        """Take a token: 0, or the seconds until there is one."""
        if not self._interval:
            return 0.0
        now = self._clock()
        full_at = max(self._full_at.get(caller, now), now)
        if (early := full_at - now - self._tolerance) > 0:
            return early
        if len(self._full_at) >= _MOST:
            self._full_at = {each: at for each, at in self._full_at.items() if at > now}
        self._full_at[caller] = full_at + self._interval
        return 0.0


def too_deep(body: bytes, most: int = NESTING) -> bool:
    """Whether JSON nests deeper than `most` levels; decided without parsing it, which would nest as deep.

    Each step is one pass in C, whatever the body. What is no JSON, for want of a closing bracket, may be up to twice as
    deep: the parser refuses it.
    """
    if not _remains(_brackets(body), most):
        return False
    left = _remains(_brackets(_STRINGS.sub(b"", body)), most)  # strings may hold brackets too
    return b"[]" in left or left.count(b"[") > most


def _brackets(body: bytes) -> bytes:
    return body.translate(_AS_SQUARE, _OTHERS)


def _remains(brackets: bytes, levels: int) -> bytes:
    """What is left when the innermost pairs are taken away so many times; each time is one pass in C."""
    for _ in range(levels):
        shorter = brackets.replace(b"[]", b"")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    return brackets
