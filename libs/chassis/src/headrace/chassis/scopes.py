"""What a caller may do: scopes, and roles as sets of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from headrace.chassis.errors import Forbidden
from headrace.contracts.services import SERVICES

ALL = "admin"
READ = tuple(f"{service}:read" for service in SERVICES if service != "audit")  # who did what is for fewer people
SCOPES: Mapping[str, str] = {
    "ingest:read": "see datasets, contracts and rejections",
    "ingest:write": "upload data, set contracts",
    "trainer:read": "see runs and the queue",
    "trainer:write": "ask for training, cancel runs",
    "registry:read": "see models, versions, approvals and aliases",
    "registry:write": "declare models, name versions with aliases that do not serve",
    "registry:approve": "approve and reject versions and changes, move the champion, review risks",
    "deployer:read": "see routes and rollouts",
    "deployer:write": "roll back, pause, resume and promote",
    "monitor:read": "see windows, drift and quality",
    "monitor:write": "report the truth",
    "audit:read": "search the record, get proofs",
    "dead-letters:read": "see events that could not be handled, with what they carried",
    "dead-letters:write": "replay and drop them",
    "keys:read": "see who holds API keys, with which scopes, and when each was last used",
    "predict": "ask for predictions",
    ALL: "everything",
}
ROLES: Mapping[str, tuple[str, ...]] = {
    "viewer": READ,
    "scientist": (*READ, "ingest:write", "trainer:write", "registry:write", "monitor:write", "predict"),
    "engineer": (
        *READ,
        "ingest:write",
        "trainer:write",
        "deployer:write",
        "monitor:write",
        "predict",
        "dead-letters:write",
    ),
    "approver": (*READ, "registry:approve", "audit:read"),
    "auditor": (*READ, "audit:read", "keys:read"),
    "admin": (ALL,),
}


def known_scope(scope: str) -> str:
    """The scope itself; raises ValueError where there is none of this name."""
    if scope not in SCOPES:
        raise ValueError(f"there is no scope {scope!r}; there are {', '.join(SCOPES)}")
    return scope


def allows(scopes: frozenset[str], scope: str) -> bool:
    """Whether scopes include one: `admin` includes all, and writing includes reading."""
    writes = scope.replace(":read", ":write") if scope.endswith(":read") else scope
    return ALL in scopes or scope in scopes or writes in scopes


@dataclass(frozen=True)
class Caller:
    """Who asks: a name for the record, and scopes."""

    name: str
    scopes: frozenset[str]
    issuer: str | None = None
    """The host of the identity provider that vouches for the name; None for a key's."""
    key_id: str | None = None
    until: float | None = None
    """When that ends, seconds since the epoch."""

    @property
    def authid(self) -> str:
        """As it travels in every event that follows: `key:<name>`, or `oidc:<host of the issuer>/<sub>`."""
        return f"oidc:{self.issuer}/{self.name}" if self.issuer else f"key:{self.name}"

    def may(self, scope: str) -> bool:
        """Whether the caller has a scope; `admin` has all, and writing includes reading."""
        return allows(self.scopes, scope)

    def must(self, scope: str) -> None:
        """Raise Forbidden, saying what is missing, where the caller may not."""
        if not self.may(scope):
            raise Forbidden(f"{self.name} may not do this: the scope {scope} is needed")
