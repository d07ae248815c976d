"""API keys as they are kept: keyed hashes in one file, never a key.

A key is `hr_<id>_<secret>`. The file holds an HMAC-SHA256 of the secret under a pepper that the file itself carries, so
reading a key's line does not give the key.
"""

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from headrace.chassis.scopes import known_scope

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")  # travels in every event that its bearer causes


@dataclass(frozen=True)
class StoredKey:
    """What is kept of a key; never the key."""

    id: str
    name: str
    hash: str
    scopes: tuple[str, ...]
    expires: datetime | None = None
    created: datetime | None = None


@dataclass(frozen=True)
class Keys:
    """The keys of an installation."""

    pepper: str
    stored: Mapping[str, StoredKey] = field(default_factory=dict)

    def find(self, presented: str) -> StoredKey | None:
        """The stored key that a presented one is, expired or not."""
        parts = presented.split("_", 2)
        known = self.stored.get(parts[1]) if len(parts) == 3 and parts[0] == "hr" else None
        if known is None or not hmac.compare_digest(known.hash, hashed(self.pepper, parts[2])):
            return None
        return known

    def without(self, key_id: str) -> "Keys":
        """The keys after one was revoked; raises KeyError where there is none."""
        rest = dict(self.stored)
        del rest[key_id]
        return Keys(self.pepper, rest)

    def expiring(self, key_id: str, at: datetime) -> "Keys":
        """The keys after one was given an end, never a later one than it had; raises KeyError where there is none."""
        known = self.stored[key_id]
        ends = min(at, known.expires) if known.expires else at
        return Keys(self.pepper, {**self.stored, key_id: replace(known, expires=ends)})


def hashed(pepper: str, secret: str) -> str:
    """The keyed hash of a secret, in hex."""
    return hmac.new(pepper.encode(), secret.encode(), hashlib.sha256).hexdigest()


def new_keys() -> Keys:
    """No keys yet, under a pepper of their own."""
    return Keys(secrets.token_hex(32))


def new_key(
    keys: Keys, name: str, scopes: Iterable[str], expires: datetime | None = None, created: datetime | None = None
) -> tuple[str, Keys]:
    """A new key, shown only now, and the keys with it; raises ValueError for a name or scope that is none."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} names nobody; use letters, digits and . _ @ -, at most 64")
    checked = tuple(known_scope(scope) for scope in scopes)
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(24)
    stored = StoredKey(key_id, name, hashed(keys.pepper, secret), checked, expires, created)
    return f"hr_{key_id}_{secret}", Keys(keys.pepper, {**keys.stored, key_id: stored})


def read_keys(file: Path) -> Keys:
    """The keys of a file; raises OSError or ValueError where it cannot be read as one."""
    document: dict[str, Any] = json.loads(file.read_text())
    try:
        stored = [_stored(each) for each in document["keys"]]
        return Keys(document["pepper"], {key.id: key for key in stored})
    except (KeyError, TypeError) as error:
        raise ValueError(f"{file.name} is no keys file: {error}") from error


def write_keys(file: Path, keys: Keys) -> None:
    """Write the keys; who reads meanwhile sees the old file or the new one, whole.

    A new file is readable by its owner alone; one that was there keeps its owner, group and mode, so that the services
    that could read it still can.
    """
    listed = [_document(key) for key in keys.stored.values()]
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        if file.is_file():
            _resemble(descriptor, file.stat())
        stream.write(json.dumps({"pepper": keys.pepper, "keys": listed}, indent=2) + "\n")
    draft.replace(file)


def _resemble(descriptor: int, known: os.stat_result) -> None:
    if (known.st_uid, known.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.fchown(descriptor, known.st_uid, known.st_gid)
    os.fchmod(descriptor, known.st_mode & 0o777)


@contextmanager
def changing(file: Path) -> Iterator[Keys]:
    """The keys of a file, or none yet, while nobody else changes them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # not for others: who can open it can hold it, and keep everybody from changing a key
    lock = os.open(file.with_name(f".{file.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield read_keys(file) if file.is_file() else new_keys()
    finally:
        os.close(lock)


def _stored(document: Mapping[str, Any]) -> StoredKey:
    moments = [document.get(name) for name in ("expires", "created")]
    expires, created = [datetime.fromisoformat(each) if each else None for each in moments]
    return StoredKey(document["id"], document["name"], document["hash"], tuple(document["scopes"]), expires, created)


def _document(key: StoredKey) -> dict[str, Any]:
    moments = {name: at.isoformat() for name in ("expires", "created") if (at := getattr(key, name)) is not None}
    return {"id": key.id, "name": key.name, "hash": key.hash, "scopes": list(key.scopes), **moments}
