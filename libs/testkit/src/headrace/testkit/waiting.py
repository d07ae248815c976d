"""Wait for facts, not for seconds."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_EVERY, _SELDOM = 0.01, 0.2
_SHARE = 4  # who waits for something costly asks a fifth of the time: the rest is for those that do the work


@overload
async def eventually(fact: Callable[[], Awaitable[T]], timeout: float = 30) -> T: ...
@overload
async def eventually(fact: Callable[[], T], timeout: float = 30) -> T: ...
async def eventually(fact: Callable[[], Any], timeout: float = 30) -> Any:
    """What `fact` answers as soon as it is true (or does not raise AssertionError); fails after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        last: object
        asked = time.monotonic()
        try:
            answer = fact()
            found = await answer if inspect.isawaitable(answer) else answer
            if found:
                return found
            last = found
        except AssertionError as error:
            last = error
        now = time.monotonic()
        if now > end:
            raise AssertionError(f"still not so after {timeout} s; the last answer was {last!r}")
        await asyncio.sleep(pause_after(now - asked))


def pause_after(seconds: float) -> float:
    """How long to wait after a question that took some seconds."""
    return min(max(_EVERY, _SHARE * seconds), _SELDOM)


def wait_until_good(
    ask: Callable[[], T],
    good: Callable[[T], object] = lambda _: True,
    *,
    within: float,
    away: type[Exception],
    every: float = 0.05,
) -> T:
    """What `ask` answers once it is good; who is `away` is asked again. Blocks; fails after `within` seconds."""
    end = time.monotonic() + within
    while True:
        last: object
        try:
            last = answer = ask()
            if good(answer):
                return answer
        except away as error:
            last = error
        assert time.monotonic() < end, f"still not so after {within:.0f} s: {last!r}"
        time.sleep(every)
