"""Values that break programs, by hand: numbers that no column holds, letters that no database takes, shapes of nothing.

schemathesis keeps to what a page allows, or just beside it; these are what somebody sends who means harm.
"""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from headrace.testkit.cluster import Cluster

from .hostile import BODIES, DEEP, INFER, NUMBERS, SCORING, TEXTS, tensors

SAMPLE = None if os.environ.get("HEADRACE_FUZZ") else 12
"""`make test` takes every twelfth value, `make fuzz` all."""


@pytest.fixture(scope="module")
def http(lively: Cluster) -> Iterator[httpx.Client]:
    """Somebody who may everything, and means harm."""
    with httpx.Client(headers={"authorization": f"Bearer {lively.keys['admin']}"}, timeout=60) as client:
        yield client


def broken(answer: httpx.Response) -> str | None:
    """What is wrong with an answer: a failure, or the inside of the service."""
    inside = "Traceback" in answer.text or "site-packages" in answer.text
    ready = answer.request.url.path.endswith("ready")
    failed = answer.status_code >= 500 and not (
        answer.status_code == 503 and ("retry-after" in answer.headers or ready)
    )
    injected = "x-injected" in answer.headers
    if not (inside or failed or injected):
        return None
    return f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:200]}"


def operations(cluster: Cluster) -> Iterator[tuple[str, str, str, Any]]:
    """Service, method, path and parameters of everything on a page."""
    for service in cluster.services:
        for path, methods in cluster.page(service)["paths"].items():
            for method, operation in methods.items():
                yield service, method.upper(), path, operation.get("parameters", [])


def requests(cluster: Cluster) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Each parameter of each operation with each value, the others as they should be: method, URL, query."""
    values = [*TEXTS, *map(str, NUMBERS)]
    for at, (service, method, path, parameters) in enumerate(operations(cluster)):
        places = {each["name"]: "flights" for each in parameters if each["in"] == "path"}
        for parameter in parameters:
            for value in values[at % (SAMPLE or 1) :: SAMPLE]:
                told = {**places, **({parameter["name"]: value} if parameter["in"] == "path" else {})}
                url = cluster.urls[service] + path.format(**{name: quote(each, safe="") for name, each in told.items()})
                yield method, url, {parameter["name"]: value} if parameter["in"] == "query" else {}


def bodies(cluster: Cluster) -> Iterator[tuple[str, str, bytes, str]]:
    """Each operation that takes a body with each, under each content type: method, URL, body, type."""
    for at, (service, method, path, parameters) in enumerate(operations(cluster)):
        if method == "GET":
            continue
        places = {each["name"]: "1" if each["name"] == "version" else "flights" for each in parameters}
        url = cluster.urls[service] + path.format(**places)
        yield from ((method, url, body, "application/json") for body in BODIES[at % (SAMPLE or 1) :: SAMPLE])
        for kind in ("text/csv", "application/vnd.apache.parquet", "text/plain; charset=nonsense", ""):
            yield from ((method, url, body, kind) for body in BODIES[at % (SAMPLE or 1) : 12 : SAMPLE])


def test_hostile_values_in_paths_and_queries_are_answered(lively: Cluster, http: httpx.Client) -> None:
    """Whatever stands in a place that somebody else fills."""
    found = [
        broken(http.request(method, url, params=query, **({} if method == "GET" else {"json": {}})))
        for method, url, query in requests(lively)
    ]

    assert [each for each in found if each] == []
    assert len(found) > 200


def test_hostile_bodies_are_answered(lively: Cluster, http: httpx.Client) -> None:
    """Whatever is sent, and whatever it is called."""
    found = [
        broken(http.request(method, url, content=body, headers={"content-type": kind}))
        for method, url, body, kind in bodies(lively)
    ]

    assert [each for each in found if each] == []
    assert len(found) > 100


def test_hostile_tensors_are_answered(lively: Cluster, http: httpx.Client) -> None:
    """By the short way and the long one, and in the binary extension."""
    url = f"{lively.urls['inference']}/v2/models/flights/infer"
    answers = [http.post(url, content=body) for body in INFER]
    answers += [http.post(url.replace("/infer", "/versions/1/infer"), content=body) for body in INFER]
    for length in ("-1", "0", "99999999999999999999", "x", "5", "1.5", ""):
        answers.append(http.post(url, content=tensors(), headers={"inference-header-content-length": length}))
    for size, raw in ((8, b""), (8, b"1234567"), (0, b""), (8, b"\xff" * 8), (16, b"\x00" * 8)):
        head = tensors(parameters={"binary_data_size": size}).replace(b', "data": [1.0]', b"")
        answers.append(http.post(url, content=head + raw, headers={"inference-header-content-length": str(len(head))}))
    answers += [http.post(url, content=body) for body in DEEP]
    scoring = f"{lively.urls['inference']}/invocations"
    answers += [http.post(scoring, json=body) for body in SCORING]
    answers += [http.post(scoring, content=body) for body in DEEP]
    tables = (b"", b"\x00", b"distance\n", b"distance,distance\n1,2\n", b'"', b"a" * 100_000, b"\xff\xfe")
    answers += [http.post(scoring, content=text, headers={"content-type": "text/csv"}) for text in tables]

    assert [each for each in map(broken, answers) if each] == []
    assert {answer.status_code for answer in answers} <= {200, 400, 413, 422}


def test_a_shape_of_much_takes_no_memory(lively: Cluster, http: httpx.Client) -> None:
    """What a request claims is compared with what it brings, before anything is made of it."""
    url = f"{lively.urls['inference']}/v2/models/flights/infer"
    for shape in ([2**62], [10**9, 10**9], [2**31, 2**31, 2**31]):
        answer = http.post(url, content=tensors(shape=shape))
        assert answer.status_code == 400
        assert "shape" in answer.json()["error"]
