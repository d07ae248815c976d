"""Wait for facts, not for seconds."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")

_EVERY = 0.01


@overload
async def eventually(fact: Callable[[], Awaitable[T]], timeout: float = 30) -> T: ...
@overload
async def eventually(fact: Callable[[], T], timeout: float = 30) -> T: ...
async def eventually(fact: Callable[[], Any], timeout: float = 30) -> Any:
    """What `fact` answers as soon as it is true (or does not raise AssertionError); fails after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        last: object
        try:
            answer = fact()
            found = await answer if inspect.isawaitable(answer) else answer
            if found:
                return found
            last = found
        except AssertionError as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"still not so after {timeout} s; the last answer was {last!r}")
        await asyncio.sleep(_EVERY)
