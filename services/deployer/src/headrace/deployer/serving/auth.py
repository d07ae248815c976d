"""Who may ask: API keys with the scope `predict`, checked once and then remembered for a while.

Checking a key takes longer than answering with a small model; the hot path pays for it once in ten seconds a key.
"""

import time
from collections.abc import Callable

from headrace.chassis.auth import Caller

SCOPE = "predict"
_REMEMBERED = 10.0  # seconds; a revoked key works no longer than that
_MOST = 10_000  # keys remembered, so that many cannot fill the memory


class Doorkeeper:
    """Lets callers in. `verify` takes an Authorization header, and raises Unauthorised."""

    def __init__(self, verify: Callable[[str | None], Caller], clock: Callable[[], float] = time.monotonic) -> None:
        self._verify = verify
        self._clock = clock
        self._known: dict[bytes | None, tuple[str, float]] = {}

    def admit(self, authorization: bytes | None) -> str:
        """The caller behind an Authorization header, such as `key:demo`; raises Unauthorised, Forbidden."""
        known = self._known.get(authorization)
        if known is not None and known[1] > self._clock():
            return known[0]
        caller = self._verify(None if authorization is None else authorization.decode("latin-1"))
        caller.must(SCOPE)
        return self._remember(authorization, caller.authid)

    def _remember(self, authorization: bytes | None, caller: str) -> str:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[authorization] = (caller, self._clock() + _REMEMBERED)
        return caller
