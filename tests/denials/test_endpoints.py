"""Each role, and nobody, at each endpoint of each service, as the OpenAPI pages list them.

A new endpoint is in the matrix by being on its page; one that asks for no scope is found, unless it is named here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from headrace.chassis.scopes import READ, ROLES, SCOPES
from headrace.testkit.cluster import Cluster

from .tally import Tally

PUBLIC = {"/live", "/ready", "/metrics", "/v2", "/v2/health/live", "/v2/health/ready", "/ping", "/health", "/version"}
NOBODY = (None, "", "Bearer", "Bearer hr_", "Bearer hr_deadbeef_guess", "Basic YWRtaW46YWRtaW4=", "Bearer null")
NUMBERS = {"version", "index", "size", "start", "end", "seq", "level", "tile"}
UNTOLD = httpx.Timeout(30.0)


@dataclass(frozen=True)
class Operation:
    """One method of one path of one service, and the scopes that its page says it needs."""

    service: str
    method: str
    path: str
    scopes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"


@pytest.fixture(scope="module")
def operations(cluster: Cluster) -> list[Operation]:
    """Everything that any page lists."""
    return [each for service in cluster.services for each in listed(service, cluster.page(service))]


def listed(service: str, page: Mapping[str, Any]) -> Iterator[Operation]:
    """The operations of a page."""
    for path, methods in page["paths"].items():
        for method, operation in methods.items():
            needed = operation.get("security", page.get("security", []))
            scopes = tuple(scope for each in needed for scope in each.get("bearer", ()))
            yield Operation(service, method.upper(), path, scopes)


def granted(role: str, scope: str) -> bool:
    """Whether a role may, said anew: an administrator all; else by name, and whoever writes may also read."""
    return role == "admin" or scope in ROLES[role] or scope.replace(":read", ":write") in ROLES[role]


def filled(path: str) -> str:
    """A path with something in each of its places; what is not there answers 404 to those who may ask."""
    return re.sub(r"{(\w+)[^}]*}", lambda place: "1" if place[1] in NUMBERS else "probe", path)


def ask(cluster: Cluster, http: httpx.Client, operation: Operation, authorization: str | None) -> int:
    """The status of one request."""
    headers = {} if authorization is None else {"authorization": authorization}
    body = {} if operation.method == "GET" else {"json": {}}
    url = f"{cluster.urls[operation.service]}{filled(operation.path)}"
    status: int = http.request(operation.method, url, headers=headers, **body).status_code
    return status


def test_every_endpoint_asks_for_a_scope_that_there_is(operations: list[Operation]) -> None:
    """But for health and metrics, which tell nothing of anybody's data."""
    open_ = {each.path for each in operations if not each.scopes}
    unknown = {scope for each in operations for scope in each.scopes} - set(SCOPES)

    assert open_ <= PUBLIC, "give these a scope with requires(...)"
    assert unknown == set()
    assert len(operations) > 100


def test_each_role_reaches_what_its_scopes_allow_and_nothing_else(
    cluster: Cluster, operations: list[Operation]
) -> None:
    """403 says which scope is missing; whoever may ask is never told 401 or 403, and nothing breaks."""
    guarded = [each for each in operations if each.scopes]
    wrong, refused = [], 0
    with httpx.Client(timeout=UNTOLD) as http:
        for operation in guarded:
            for role, key in cluster.keys.items():
                may = any(granted(role, scope) for scope in operation.scopes)
                status = ask(cluster, http, operation, f"Bearer {key}")
                refused += status == 403
                if (status == 403) is may or status in (401, 429, 500):
                    wrong.append(f"{role} at {operation}: {status}, {may=}")
        strangers = {f"{who!r} at {each}": ask(cluster, http, each, who) for each in guarded for who in NOBODY}
    wrong += [f"{who}: {status}" for who, status in strangers.items() if status != 401]
    refused += sum(status == 401 for status in strangers.values())
    identities = len(cluster.keys) + len(NOBODY)
    Tally("endpoints", identities, len(guarded), identities * len(guarded), refused, len(wrong)).write()

    assert wrong == []


@pytest.mark.parametrize("path", ["/nowhere", "/datasets/../keys", "/%2e%2e/keys", "/keys/", "//keys", "/v2/models"])
def test_what_is_not_there_is_told_to_nobody_unknown(path: str, cluster: Cluster) -> None:
    """A stranger cannot even find out which paths there are."""
    with httpx.Client(timeout=UNTOLD) as http:
        statuses = {name: http.get(f"{url}{path}").status_code for name, url in cluster.urls.items()}

    assert set(statuses.values()) <= {401, 404}
    assert {name for name, status in statuses.items() if status == 404} <= {"inference"}


def test_an_approver_cannot_train_and_a_trainer_cannot_approve() -> None:
    """Who makes a model is not who lets it pass: no role but the administrator's does both."""
    both = [role for role in ROLES if granted(role, "registry:approve") and granted(role, "trainer:write")]

    assert both == ["admin"]


def test_every_role_but_the_administrators_may_see_and_none_may_all() -> None:
    """Roles start from reading."""
    assert all(set(READ) <= set(scopes) for role, scopes in ROLES.items() if role != "admin")
    assert [role for role, scopes in ROLES.items() if "admin" in scopes] == ["admin"]
