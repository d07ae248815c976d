"""Who may ask: callers with the scope `predict`, checked once and then remembered for a while.

Checking a key or a token takes longer than answering with a small model; the hot path pays for it once in ten seconds.
"""

import time
from collections.abc import Callable

from headrace.chassis.auth import Caller, Gate, text_of
from headrace.chassis.errors import TooMany, Unavailable
from headrace.chassis.limits import Limiter
from headrace.chassis.oidc import UnknownKey

SCOPE = "predict"
_REMEMBERED = 10.0  # seconds; a revoked key works no longer than that
_MOST = 10_000  # callers remembered, so that many cannot fill the memory


class AuthCache:
    """Lets callers in through the gate that every service has."""

    def __init__(
        self,
        gate: Gate,
        limiter: Limiter,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._gate = gate
        self._limiter = limiter if limiter.limits else None
        self._clock = clock
        self._wall = wall
        self._known: dict[bytes | None, tuple[str, float]] = {}

    def knows(self, authorization: bytes | None) -> bool:
        """Whether a caller is remembered, so that `admit` will not have to ask anybody."""
        known = self._known.get(authorization)
        return known is not None and known[1] > self._clock()

    def admit(self, authorization: bytes | None) -> str:
        """The caller behind an Authorization header, such as `key:demo`.

        Raises Unauthorised, Forbidden, TooMany, or Unavailable where the identity provider must be asked first:
        `meet` does that.
        """
        known = self._known.get(authorization)
        if known is not None and known[1] > self._clock():
            if self._limiter is not None:
                self._count(known[0])
            return known[0]
        try:
            return self._remember(authorization, self._gate.caller(text_of(authorization)))
        except UnknownKey as error:
            raise Unavailable(str(error)) from error

    async def meet(self, authorization: bytes | None) -> str:
        """The same, asking the identity provider where its keys are not known yet."""
        if self.knows(authorization):
            return self.admit(authorization)
        return self._remember(authorization, await self._gate.admitted(text_of(authorization)))

    def _remember(self, authorization: bytes | None, caller: Caller) -> str:
        caller.must(SCOPE)
        if self._limiter is not None:
            self._count(caller.authid)
        if len(self._known) >= _MOST:
            self._known.clear()
        lasts = _REMEMBERED if caller.until is None else min(_REMEMBERED, caller.until - self._wall())
        self._known[authorization] = (caller.authid, self._clock() + lasts)
        return caller.authid

    def _count(self, caller: str) -> None:
        assert self._limiter is not None
        if wait := self._limiter.wait(caller):
            raise TooMany(f"{caller} asks too often; the next request is taken in {wait:.1f} s", wait)
