"""The API keys of an installation: made, listed, replaced and taken away in the one file that every service reads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from headrace.chassis.keys import Keys, StoredKey, changing, new_key, read_keys, write_keys
from headrace.chassis.scopes import ROLES
from headrace.client.errors import HeadraceError
from headrace.client.sdk import Client
from headrace.contracts import ContractError
from headrace.contracts.durations import parse_duration

Document = dict[str, Any]


@dataclass(frozen=True)
class Keyring:
    """One keys file; services notice within one request that it has changed."""

    file: Path
    own: Path | None = None
    """Where this command line keeps the key that it presents by itself."""

    def make(self, name: str, roles: Iterable[str], scopes: Iterable[str], lasts: str | None) -> Document:
        """A new key for `name`; it is shown only in this answer."""
        now = datetime.now(UTC)
        ends = now + _span(lasts) if lasts else None
        with self._changing() as keys:
            try:
                key, after = new_key(keys, name, _scopes(roles, scopes), ends, now)
            except ValueError as error:
                raise HeadraceError(str(error)) from error
            write_keys(self.file, after)
        return _made(key, after)

    def rotate(self, which: str, overlap: str) -> Document:
        """A new key with the same name and scopes; the old one ends after `overlap`, an ISO 8601 duration.

        A key that would end anyway is replaced by one that lasts as long again.
        """
        now = datetime.now(UTC)
        with self._changing() as keys:
            old = find(keys, which)
            ends = now + (old.expires - old.created) if old.expires and old.created else old.expires
            key, after = new_key(keys, old.name, old.scopes, ends, now)
            write_keys(self.file, after.expiring(old.id, now + _span(overlap)))
            if self._is_own(keys, old):
                _replace_secret(self.own, key)
        return {**_made(key, after), "replaces": old.id, "old_expires": (now + _span(overlap)).isoformat()}

    def revoke(self, which: str) -> Document:
        """Take a key away, at once; raises HeadraceError for the key that this command line itself presents."""
        with self._changing() as keys:
            key = find(keys, which)
            if self._is_own(keys, key):
                raise HeadraceError(f"{key.id} is the key that this command line uses here; rotate it instead")
            write_keys(self.file, keys.without(key.id))
        return {"id": key.id, "name": key.name, "revoked": True}

    def listed(self) -> list[Document]:
        """Every key of the file, by name."""
        known = sorted(self._read().stored.values(), key=lambda key: (key.name, key.id))
        return [shown(key) for key in known]

    def _is_own(self, keys: Keys, key: StoredKey) -> bool:
        if self.own is None or not self.own.is_file():
            return False
        presented = keys.find(self.own.read_text().strip())
        return presented is not None and presented.id == key.id

    def _read(self) -> Keys:
        try:
            return read_keys(self.file)
        except (OSError, ValueError) as error:
            raise HeadraceError(f"the keys file {self.file} cannot be read: {error}") from error

    def _changing(self) -> "_Changing":
        return _Changing(self.file)


class _Changing:
    """The keys while nobody else changes them; what keeps us from the file is told as an error for people."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._inner = changing(file)

    def __enter__(self) -> Keys:
        try:
            return self._inner.__enter__()
        except (OSError, ValueError) as error:
            raise HeadraceError(f"the keys file {self._file} cannot be changed: {error}") from error

    def __exit__(self, *how: Any) -> None:
        self._inner.__exit__(*how)


def find(keys: Keys, which: str) -> StoredKey:
    """The key that an id names, or a name that only one key has; raises HeadraceError."""
    found = [key for key in keys.stored.values() if which in (key.id, key.name)]
    if not found:
        raise HeadraceError(f"no key has the id or name {which!r}; `headrace keys list` shows them")
    if len(found) > 1:
        ids = ", ".join(key.id for key in found)
        raise HeadraceError(f"{len(found)} keys are named {which!r}; say which by its id: {ids}")
    return found[0]


def with_last_use(keys: list[Document], client: Client) -> tuple[list[Document], list[str]]:
    """The keys with the last use that any service knows of, and the services that could not be asked."""
    latest: dict[str, str] = {}
    away: list[str] = []
    for service in client.http.stack.services:
        try:
            answer = list(client.http.pages(service, "/keys"))
        except HeadraceError:
            away.append(service)
            continue
        for key in answer:
            latest[key["id"]] = max(latest.get(key["id"], ""), _utc(key["last_used"]))
    return [{**key, "last_used": latest.get(key["id"]) or None} for key in keys], away


def remote(client: Client) -> list[Document]:
    """Every key as a service tells them, where the file is not on this machine; raises HeadraceError."""
    answer = sorted(client.http.pages("registry", "/keys"), key=lambda key: (key["name"], key["id"]))
    return [{**key, "roles": roles_of(key["scopes"])} for key in answer]


def shown(key: StoredKey) -> Document:
    """A key as people and programs see it; never the key, nor its hash."""
    return {
        "id": key.id,
        "name": key.name,
        "roles": roles_of(key.scopes),
        "scopes": list(key.scopes),
        "created": key.created and key.created.isoformat(),
        "expires": key.expires and key.expires.isoformat(),
    }


def roles_of(scopes: Iterable[str]) -> list[str]:
    """The roles that scopes are exactly one of."""
    return [role for role, theirs in ROLES.items() if set(theirs) == set(scopes)]


def _scopes(roles: Iterable[str], scopes: Iterable[str]) -> Iterator[str]:
    named = list(scopes)
    for role in roles:
        if role not in ROLES:
            raise HeadraceError(f"there is no role {role!r}; there are {', '.join(ROLES)}")
        named.extend(ROLES[role])
    if not named:
        raise HeadraceError(f"say what the key may do: --role ({', '.join(ROLES)}), or --scope")
    return iter(dict.fromkeys(named))


def _span(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ContractError as error:
        raise HeadraceError(str(error)) from error


def _made(key: str, keys: Keys) -> Document:
    stored = keys.find(key)
    assert stored is not None
    return {"key": key, **shown(stored)}


def _replace_secret(file: Path | None, key: str) -> None:
    assert file is not None
    draft = file.with_name(f".{file.name}.new")
    draft.touch(mode=0o600)
    draft.write_text(key)
    draft.replace(file)


def _utc(moment: str | None) -> str:
    return datetime.fromisoformat(moment).astimezone(UTC).isoformat() if moment else ""
