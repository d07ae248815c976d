"""Who asks: a bearer of an API key, or of a token of the identity provider; deny by default.

Without a keys file and without an issuer everything is allowed, and only on loopback.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headrace.chassis.errors import Ambiguous, Unauthorised
from headrace.chassis.every import Every, chore
from headrace.chassis.keys import Keys, StoredKey, hashed, new_key, new_keys, read_keys, write_keys
from headrace.chassis.oidc import Issuer, UnknownKey
from headrace.chassis.scopes import ALL, ROLES, SCOPES, Caller, allows
from headrace.chassis.settings import ServiceSettings

__all__ = [
    "ROLES",
    "SCOPES",
    "Caller",
    "Gate",
    "Keys",
    "StoredKey",
    "authorization_of",
    "hashed",
    "new_key",
    "new_keys",
    "read_keys",
    "text_of",
    "write_keys",
]
PREFIX = "hr_"
ANONYMOUS = Caller("anonymous", frozenset({ALL}))


class Gate:
    """Turns an Authorization header into a caller; reads the keys file again when it changes."""

    def __init__(self, file: Path | None, issuer: Issuer | None = None, *, open_to_all: bool) -> None:
        self._file = file
        self._issuer = issuer
        self._open = open_to_all and file is None and issuer is None
        self._keys: Keys | None = None
        self._stamp = -1
        self.used: dict[str, datetime] = {}
        """When each key was last presented, since that was last written down."""

    @classmethod
    def of(cls, settings: ServiceSettings) -> "Gate":
        """The gate that a service's settings describe."""
        issuer = Issuer(settings.oidc) if settings.oidc else None
        return cls(settings.api_keys_file, issuer, open_to_all=settings.on_loopback)

    async def admitted(self, authorization: str | None) -> Caller:
        """Who presents this header; raises Unauthorised, or Unavailable while that cannot be told."""
        try:
            return self.caller(authorization)
        except UnknownKey:
            assert self._issuer is not None
            return await self._issuer.caller(_presented(authorization))

    def caller(self, authorization: str | None) -> Caller:
        """The same with what is known here; raises UnknownKey where the issuer must be asked first."""
        if self._open:
            return ANONYMOUS
        presented = _presented(authorization)
        if self._issuer is not None and not presented.startswith(PREFIX):
            return self._issuer.read(presented)
        return self._bearer(presented)

    def stored(self) -> Mapping[str, StoredKey]:
        """Every API key that is known here, by its id; none where keys are not set up."""
        return self._current().stored if self._file is not None else {}

    def holders(self, scope: str, now: datetime) -> frozenset[str] | None:
        """Everybody who may do something now; None where that is not known here: an identity provider says so too."""
        if self._file is None or self._issuer is not None:
            return None
        able = (key for key in self.stored().values() if allows(frozenset(key.scopes), scope))
        return frozenset(f"key:{key.name}" for key in able if key.expires is None or key.expires > now)

    def loops(self) -> list[Every[Any, None]]:
        """What keeps the issuer's keys fresh, where there is an issuer."""
        issuer = self._issuer
        return [chore(lambda: issuer.renew_after, lambda _: issuer.refresh(), name="oidc")] if issuer else []

    def problems(self) -> Mapping[str, str]:
        """What keeps callers out, for readiness."""
        outage = self._issuer.outage if self._issuer else None
        return {"oidc": outage} if outage else {}

    def _bearer(self, presented: str) -> Caller:
        now = datetime.now(UTC)
        key = self._current().find(presented)
        if key is None:
            raise Unauthorised("this key is not known; make one with `headrace keys make`")
        if key.expires is not None and key.expires <= now:
            raise Unauthorised(f"the key of {key.name} expired at {key.expires.isoformat()}")
        self.used[key.id] = now
        until = key.expires.timestamp() if key.expires else None
        return Caller(key.name, frozenset(key.scopes), key_id=key.id, until=until)

    def _current(self) -> Keys:
        if self._file is None:
            raise Unauthorised("no keys are set up: set HEADRACE_API_KEYS_FILE")
        try:
            stamp = self._file.stat().st_mtime_ns
            if self._keys is None or stamp != self._stamp:
                self._keys, self._stamp = read_keys(self._file), stamp
        except FileNotFoundError:
            why = f"the keys file {self._file.name} is not there: make it with `headrace keys make`"
            raise Unauthorised(why) from None
        except (OSError, ValueError) as error:
            raise Unauthorised(f"the keys file {self._file.name} cannot be read, so nobody is let in") from error
        return self._keys


def authorization_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The Authorization header among raw ones; raises Ambiguous where there are several, so that nobody chooses."""
    found = [value for name, value in headers if name == b"authorization"]
    if len(found) > 1:
        raise Ambiguous(f"send one Authorization header, not {len(found)}")
    return found[0] if found else None


def _presented(authorization: str | None) -> str:
    scheme, _, presented = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not presented.strip():
        raise Unauthorised("a key or token is needed: send `Authorization: Bearer hr_...`")
    return presented.strip()


def text_of(authorization: bytes | None) -> str | None:
    """An Authorization header as text."""
    return None if authorization is None else authorization.decode("latin-1")
