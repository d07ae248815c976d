"""Bearer tokens of an identity provider: OIDC JWTs, checked against the issuer's public keys (JWKS).

Only asymmetric algorithms that the settings list are accepted, whatever a token's header asks for. Keys are fetched at
the start and every few minutes, and when a token names one that is not known, though not more often than once in a
while. Without keys nobody is let in: that is said as an outage, not as a refusal.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel, ConfigDict

from headrace.chassis.errors import Unauthorised, Unavailable
from headrace.chassis.fetch import fetch_json
from headrace.chassis.scopes import ALL, ROLES, SCOPES, Caller

log = structlog.get_logger()

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
FAMILIES: Mapping[str, str] = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
RENEW_S = 300.0  # a key that the issuer withdrew is honoured no longer than that
SMALLEST_RSA = 2048
_SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")  # OIDC Core: at most 255 ASCII characters; it goes into the record
_REQUIRED = ["exp", "iss", "aud", "sub"]


class OidcSettings(BaseModel):
    """Whose tokens are believed, and what their claims mean here."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    audience: str
    jwks: str | None = None
    ca: Path | None = None
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    roles_claim: str = "roles"
    scopes_claim: str = "scope"
    roles: Mapping[str, str] = {}
    leeway_s: float = 30.0
    refetch_s: float = 10.0
    stale_s: float = 3600.0


@dataclass(frozen=True)
class KeySet:
    """The issuer's keys as they were fetched, by their ids; monotonic seconds."""

    by_id: Mapping[str | None, Mapping[str, Any]]
    fetched: float


class UnknownKey(Exception):
    """A token names a key that is not known here yet: it may be new."""


class Issuer:
    """One identity provider."""

    def __init__(self, settings: OidcSettings) -> None:
        self.settings = settings
        self.host = urlsplit(settings.issuer).netloc
        self.problem: str | None = "the issuer's keys are not fetched yet"
        self._keys: KeySet | None = None
        self._asked = float("-inf")
        self._fetching = asyncio.Lock()
        self._roles = settings.roles or {f"headrace-{role}": role for role in ROLES}

    @property
    def outage(self) -> str | None:
        """Why no token can be checked now; None where some can."""
        fresh = self._keys is not None and time.monotonic() - self._keys.fetched <= self.settings.stale_s
        return None if fresh else self.problem or "the issuer's keys are too old"

    async def caller(self, token: str) -> Caller:
        """Whose token it is; raises Unauthorised, or Unavailable while that cannot be told."""
        try:
            return self.read(token)
        except UnknownKey:
            await self.refresh()
        try:
            return self.read(token)
        except UnknownKey as error:
            if self.problem:  # it may be a new key
                raise Unavailable(self.problem) from error
            raise Unauthorised(str(error)) from error

    def read(self, token: str) -> Caller:
        """The same with the keys at hand; raises UnknownKey where a token needs another."""
        import jwt  # imported here: who uses no tokens need not load a cryptography library at the start

        try:
            header = jwt.get_unverified_header(token)
            algorithm, key = self._key(header)
            claims = jwt.decode(
                token,
                jwt.PyJWK(dict(key), algorithm),
                algorithms=[algorithm],
                audience=self.settings.audience,
                issuer=self.settings.issuer,
                leeway=self.settings.leeway_s,
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, TypeError, ValueError, RecursionError) as error:
            raise Unauthorised(f"this token is not accepted: {error}") from error
        return self._caller(claims)

    @property
    def renew_after(self) -> timedelta:
        """How long to wait before the keys are fetched again."""
        return timedelta(seconds=RENEW_S if self.problem is None else self.settings.refetch_s)

    async def refresh(self) -> None:
        """Fetch the keys, unless that was just tried; several callers wait for the same answer."""
        async with self._fetching:
            now = time.monotonic()
            if now - self._asked < self.settings.refetch_s:
                return
            self._asked = now
            try:
                self._keys = KeySet(usable(await asyncio.to_thread(self._fetch)), now)
                self.problem = None
            except (OSError, ValueError) as error:
                self.problem = f"the keys of {self.settings.issuer} cannot be fetched: {error}"
                log.warning("issuer_away", issuer=self.settings.issuer, error=str(error))

    def _fetch(self) -> Any:
        settings = self.settings
        if settings.jwks is not None and "://" not in settings.jwks:
            return json.loads(Path(settings.jwks).read_text())
        return fetch_json(settings.jwks or self._discover(), settings.ca)

    def _discover(self) -> str:
        issuer = self.settings.issuer
        found = fetch_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration", self.settings.ca)
        if found.get("issuer") != issuer:
            raise ValueError(f"its configuration is of {found.get('issuer')!r}")
        return str(found["jwks_uri"])

    def _key(self, header: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        algorithm = header.get("alg")
        if algorithm not in self.settings.algorithms or algorithm not in ALGORITHMS:
            raise Unauthorised(f"tokens signed with {algorithm!r} are not accepted")
        keys = self._current()
        key = keys.get(header["kid"]) if "kid" in header else next(iter(keys.values())) if len(keys) == 1 else None
        if key is None:
            raise UnknownKey("this token is signed with a key that its issuer does not publish")
        if key["kty"] != FAMILIES[algorithm[:2]] or key.get("alg", algorithm) != algorithm:
            raise Unauthorised(f"the token's key is not one for {algorithm}")
        return algorithm, key

    def _current(self) -> Mapping[str | None, Mapping[str, Any]]:
        due = time.monotonic() - self._asked >= self.settings.refetch_s
        if self._keys is None and (due or self._fetching.locked()):  # they are on their way: worth waiting for
            raise UnknownKey("the issuer's keys are not fetched yet")
        if self._keys is None or self.outage:
            raise Unavailable(self.outage)
        return self._keys.by_id

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        subject = claims["sub"]
        if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise Unauthorised("the token's subject is no name of at most 255 ASCII characters without spaces")
        roles = {self._roles.get(each) for each in _words(_at(claims, self.settings.roles_claim))}
        scopes = {scope for role in roles for scope in ROLES.get(role or "", ())}
        scopes |= {each for each in _words(_at(claims, self.settings.scopes_claim)) if each in SCOPES and each != ALL}
        return Caller(subject, frozenset(scopes), issuer=self.host, until=float(claims["exp"]))


def usable(document: Any) -> dict[str | None, Mapping[str, Any]]:
    """The public signature keys of a JWKS, by id; raises ValueError where there is none."""
    listed = document.get("keys") if isinstance(document, Mapping) else None
    keys = {key.get("kid"): key for key in listed or () if isinstance(key, Mapping) and _signs(key)}
    if not keys:
        raise ValueError("there is no public signature key in the JWKS")
    return keys


def _signs(key: Mapping[str, Any]) -> bool:
    large = key.get("kty") != "RSA" or len(str(key.get("n", ""))) * 6 >= SMALLEST_RSA
    return key.get("kty") in FAMILIES.values() and key.get("use", "sig") == "sig" and large


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or inside others by a path such as realm_access.roles."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _words(value: Any) -> list[str]:
    """A claim of several words: a list, or text with spaces."""
    words = value.split() if isinstance(value, str) else value
    return [each for each in words if isinstance(each, str)] if isinstance(words, list) else []
