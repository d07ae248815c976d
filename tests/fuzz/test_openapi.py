"""What the OpenAPI pages allow, and what they do not, made up by schemathesis: no answer is a 500.

`make edge` asks each operation a few things, always the same; `make fuzz` asks many, and others each time.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from headrace.chassis.headers import SECURITY_HEADERS
from headrace.contracts import load_topology
from headrace.testkit.cluster import Cluster

EXAMPLES = int(os.environ.get("HEADRACE_FUZZ", "0"))
"""Cases of each kind for each operation; 0: a few, always the same."""
SERVICES = [name for name, kind in load_topology().identities.items() if kind in ("service", "replica")]
REPORT = Path(__file__).parents[2] / ".headrace" / "fuzz"
KNOWN: Mapping[str, Any] = {
    "name": "flights", "model": "flights", "dataset": "flights", "version": 1, "alias": "champion",
    "index": 0, "seq": 1, "level": "0", "tile": "000", "size": 1,
}  # fmt: skip
"""What there is, for the places of paths: made-up names would all be 404."""
schemathesis.serializer.alias("application/x-tar", "application/octet-stream")  # bytes, whatever they are called
INSIDE = ("Traceback", 'File "', "sqlalchemy", "site-packages")


@dataclass
class Found:
    """What was asked of a service, and how it answered."""

    operations: int = 0
    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def write(self, service: str) -> None:
        """Keep it for the table."""
        REPORT.mkdir(parents=True, exist_ok=True)
        told = {"operations": self.operations, "cases": self.cases, "failures": len(self.failures)}
        classes = Counter(f"{status // 100}xx" for status in self.statuses.elements())
        (REPORT / f"{service}.json").write_text(json.dumps({**told, "answers": classes}, indent=2) + "\n")


@pytest.mark.parametrize("service", SERVICES)
def test_a_page_describes_every_place_in_its_paths(service: str, lively: Cluster) -> None:
    """A client is generated from the page: what a path names and no parameter describes cannot be filled."""
    for path, operations in lively.page(service)["paths"].items():
        for method, operation in operations.items():
            described = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert described == set(re.findall(r"{(\w+)", path)), f"{method} {path}"


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("service", SERVICES)
def test_no_request_breaks_a_service(service: str, lively: Cluster) -> None:
    """Whatever is asked: an answer with a meaning, its headers, and nothing of the inside."""
    schema = schemathesis.openapi.from_dict(lively.page(service))
    found = Found()
    with requests.Session() as http:
        http.headers["authorization"] = f"Bearer {lively.keys['admin']}"
        for result in schema.get_all_operations():
            found.operations += 1
            for mode in GenerationMode:
                _try(result.ok(), mode, lively.urls[service], http, found)
    found.write(service)

    assert found.failures == []
    assert found.cases > found.operations


def _try(operation: Any, mode: GenerationMode, url: str, http: requests.Session, found: Found) -> None:
    """Some cases of an operation; every failure is kept, with the command that shows it again."""

    @hypothesis.settings(
        max_examples=EXAMPLES or 2,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def ask(case: Case, known: bool) -> None:
        if known:
            case.path_parameters = {**(case.path_parameters or {}), **_there(case)}
        answer = case.call(base_url=url, session=http, timeout=60)
        found.cases += 1
        found.statuses[answer.status_code] += 1
        if why := _fault(answer, operation.path):
            found.failures.append(f"{why}: {case.as_curl_command()[:2000]}\n{_said(answer)[:500]}")

    try:
        ask()
    except hypothesis.errors.Unsatisfiable:  # an operation that takes nothing cannot be asked wrongly
        assert mode is GenerationMode.NEGATIVE


def _there(case: Case) -> dict[str, Any]:
    return {name: KNOWN[name] for name in case.path_parameters or {} if name in KNOWN}


def _fault(answer: Any, path: str) -> str | None:
    """What is wrong with an answer, if anything is."""
    headers = {name.lower(): values[0] for name, values in answer.headers.items()}
    if answer.status_code >= 500 and not (answer.status_code == 503 and _says_when(headers, path)):
        return f"{answer.status_code}"
    if any(inside in _said(answer) for inside in INSIDE):
        return "the inside gets out"
    missing = set(SECURITY_HEADERS) - set(headers)
    if missing:
        return f"without {', '.join(sorted(missing))}"
    if answer.status_code >= 400 and not _explains(answer):
        return "an error that does not say what is wrong"
    return None


def _said(answer: Any) -> str:
    """An answer's words; messages and hashes, which are sent as bytes, have none."""
    kind = str(next(iter(answer.headers.get("content-type", [])), ""))
    return "" if kind.startswith("application/octet-stream") else str(answer.content.decode(errors="replace"))


def _says_when(headers: Mapping[str, str], path: str) -> bool:
    """Whether a 503 is meant: it says when to come again, or what health is asked for."""
    return "retry-after" in headers or path.rpartition("/")[2] == "ready"


def _explains(answer: Any) -> bool:
    if answer.request.method == "HEAD":
        return True
    try:
        document = answer.json()
    except ValueError:
        return False
    return bool(document.get("detail") or document.get("error") or document.get("name") or document.get("status"))
