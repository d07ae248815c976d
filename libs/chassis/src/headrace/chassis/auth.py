"""Who asks, and what they may: API keys with scopes; deny by default.

A key is `hr_<id>_<secret>`. The file holds an HMAC-SHA256 of the secret under a pepper that the file itself carries, so
reading a key's line does not give the key. Without a keys file everything is allowed, and only on loopback.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headrace.chassis.errors import Forbidden, Unauthorised

ALL = "admin"
READ = ("ingest:read", "trainer:read", "registry:read", "deployer:read", "monitor:read")
ROLES: Mapping[str, tuple[str, ...]] = {
    "viewer": READ,
    "scientist": (*READ, "ingest:write", "trainer:write", "registry:write", "monitor:write", "predict"),
    "engineer": (*READ, "ingest:write", "trainer:write", "deployer:write", "monitor:write", "predict", "parked:write"),
    "approver": (*READ, "registry:approve", "audit:read"),
    "auditor": (*READ, "audit:read"),
    "admin": (ALL,),
}


@dataclass(frozen=True)
class Caller:
    """Who asks: a name for the record, and scopes."""

    name: str
    scopes: frozenset[str]

    @property
    def authid(self) -> str:
        """As it travels in every event that follows."""
        return f"key:{self.name}"

    def may(self, scope: str) -> bool:
        """Whether the caller has a scope; `admin` has all, and writing includes reading."""
        writes = scope.replace(":read", ":write") if scope.endswith(":read") else scope
        return ALL in self.scopes or scope in self.scopes or writes in self.scopes

    def must(self, scope: str) -> None:
        """Raise Forbidden, saying what is missing, where the caller may not."""
        if not self.may(scope):
            raise Forbidden(f"{self.name} may not do this: the scope {scope} is needed")


@dataclass(frozen=True)
class StoredKey:
    """What is kept of a key; never the key."""

    id: str
    name: str
    hash: str
    scopes: tuple[str, ...]
    expires: datetime | None = None


@dataclass(frozen=True)
class Keys:
    """The keys of an installation."""

    pepper: str
    stored: Mapping[str, StoredKey] = field(default_factory=dict)

    def check(self, presented: str, now: datetime) -> Caller:
        """The caller that a key belongs to; raises Unauthorised."""
        parts = presented.split("_", 2)
        known = self.stored.get(parts[1]) if len(parts) == 3 and parts[0] == "hr" else None
        if known is None or not hmac.compare_digest(known.hash, hashed(self.pepper, parts[2])):
            raise Unauthorised("this key is not known; make one with `headrace keys create`")
        if known.expires is not None and known.expires <= now:
            raise Unauthorised(f"the key of {known.name} expired at {known.expires.isoformat()}")
        return Caller(known.name, frozenset(known.scopes))


def hashed(pepper: str, secret: str) -> str:
    """The keyed hash of a secret, in hex."""
    return hmac.new(pepper.encode(), secret.encode(), hashlib.sha256).hexdigest()


def new_key(keys: Keys, name: str, scopes: Iterable[str], expires: datetime | None = None) -> tuple[str, Keys]:
    """A new key, shown only now, and the keys with it."""
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(24)
    stored = StoredKey(key_id, name, hashed(keys.pepper, secret), tuple(scopes), expires)
    return f"hr_{key_id}_{secret}", Keys(keys.pepper, {**keys.stored, key_id: stored})


def read_keys(file: Path) -> Keys:
    """The keys of a file."""
    document: dict[str, Any] = json.loads(file.read_text())
    stored = [_stored(each) for each in document["keys"]]
    return Keys(document["pepper"], {key.id: key for key in stored})


def write_keys(file: Path, keys: Keys) -> None:
    """Write the keys, readable by their owner alone."""
    listed = [
        {"id": k.id, "name": k.name, "hash": k.hash, "scopes": list(k.scopes)}
        | ({"expires": k.expires.isoformat()} if k.expires else {})
        for k in keys.stored.values()
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(json.dumps({"pepper": keys.pepper, "keys": listed}, indent=2) + "\n")


def new_keys() -> Keys:
    """No keys yet, under a pepper of their own."""
    return Keys(secrets.token_hex(32))


class Gate:
    """Turns an Authorization header into a caller; reads the keys file again when it changes."""

    def __init__(self, file: Path | None, *, open_to_all: bool) -> None:
        self._file = file
        self._open = open_to_all and file is None
        self._keys: Keys | None = None
        self._stamp = -1

    def caller(self, authorization: str | None) -> Caller:
        """Who presents this header; raises Unauthorised."""
        if self._open:
            return Caller("anonymous", frozenset({ALL}))
        scheme, _, presented = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not presented:
            raise Unauthorised("a key is needed: send `Authorization: Bearer hr_...`")
        return self._current().check(presented.strip(), datetime.now(UTC))

    def _current(self) -> Keys:
        if self._file is None:
            raise Unauthorised("no keys are set up: set HEADRACE_API_KEYS_FILE")
        if not self._file.exists():
            raise Unauthorised(f"the keys file {self._file.name} is not there: make it with `headrace keys create`")
        stamp = self._file.stat().st_mtime_ns
        if self._keys is None or stamp != self._stamp:
            self._keys, self._stamp = read_keys(self._file), stamp
        return self._keys


def _stored(document: Mapping[str, Any]) -> StoredKey:
    expires = datetime.fromisoformat(document["expires"]) if document.get("expires") else None
    return StoredKey(document["id"], document["name"], document["hash"], tuple(document["scopes"]), expires)
