"""What is told to somebody who only has an address: by services and replicas, to people, browsers, other origins."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from headrace.chassis import Service, ServiceSettings, docs
from headrace.chassis.auth import new_key, new_keys, write_keys
from headrace.chassis.http import make_app
from headrace.chassis.run import http_server as service_server
from headrace.deployer import api
from headrace.inference.server import Replica, http_server
from headrace.inference.settings import InferenceSettings
from headrace.testkit.waiting import eventually

from .conftest import Alone, Folder, Lonely, Model, matrix

CONSOLE, OTHER = "https://console.example", "https://elsewhere.example"
PUBLIC = ["/", "/docs", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/docs/favicon.png", "/openapi.json"]


@asynccontextmanager
async def opened(kind: str, folder: Any, **settings: Any) -> AsyncIterator[str]:
    """The address of a deployer's HTTP port, or of a replica's."""
    told = {"http_port": 0, **settings}
    if kind == "replica":
        server = http_server(Replica(InferenceSettings(cache_dir=folder, **told)))
    else:
        made = ServiceSettings(**told)
        server = service_server(make_app(Service("deployer", made, {}, routes=[api.router]), []), made)
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.leave()
    await serving


@pytest.fixture(params=["service", "replica"])
async def url(request: pytest.FixtureRequest, tmp_path: Any) -> AsyncIterator[str]:
    """A service and a replica that let nobody in without a key, and one origin."""
    _, keys = new_key(new_keys(), "ann", ["predict"])
    write_keys(tmp_path / "keys.json", keys)
    settings = {"api_keys_file": tmp_path / "keys.json", "http_cors_origins": (CONSOLE,)}
    async with opened(request.param, tmp_path, **settings) as at:
        yield at


async def test_what_is_open_to_everybody_says_where_to_look(url: str) -> None:
    """`/` names the process and its pages; each of them is there, without a key."""
    async with httpx.AsyncClient(base_url=url) as http:
        told = (await http.get("/")).json()
        answers = {path: await http.get(path) for path in (*PUBLIC, *told["see"])}

    assert told["name"] in ("headrace-inference", "deployer")
    assert {path: answers[path].status_code for path in PUBLIC} == dict.fromkeys(PUBLIC, 200)
    assert 401 not in {answer.status_code for answer in answers.values()}
    assert answers["/docs/swagger-ui-bundle.js"].headers["cache-control"] == docs.CACHED
    assert answers["/openapi.json"].headers["cache-control"] == "no-store"


async def test_the_page_asks_nobody_else_for_anything(url: str) -> None:
    """No address of another machine stands in it, and its policy would let nothing be fetched from there."""
    async with httpx.AsyncClient(base_url=url) as http:
        page = await http.get("/docs")

    assert "//" not in page.text.replace("<!DOCTYPE", "").replace("http://www.w3.org", "")
    policy = page.headers["content-security-policy"]
    assert "https:" not in policy
    assert "script-src 'self' 'sha256-" in policy


async def test_the_page_is_drawn_without_internet(url: str, browser: webdriver.Chrome) -> None:
    """Every operation of the page stands on it in a real browser, and nothing of it was blocked."""
    async with httpx.AsyncClient(base_url=url) as http:
        paths = (await http.get("/openapi.json")).json()["paths"]

    shown = await asyncio.to_thread(_drawn, browser, f"{url}/docs", sum(map(len, paths.values())))

    assert shown == sum(map(len, paths.values()))
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def _drawn(browser: webdriver.Chrome, url: str, many: int) -> int:
    browser.get(url)
    WebDriverWait(browser, 30).until(lambda page: len(page.find_elements(By.CSS_SELECTOR, ".opblock")) >= many)
    return len(browser.find_elements(By.CSS_SELECTOR, ".opblock"))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v2/models/m/infer", {"POST"}),
        ("PUT", "/v2/models/m/versions/1/infer", {"POST"}),
        ("DELETE", "/v2/models/m", {"GET", "HEAD"}),
        ("GET", "/invocations", {"POST"}),
        ("POST", "/v2/health/ready", {"GET", "HEAD"}),
        ("POST", "/metrics", {"GET", "HEAD"}),
        ("GET", "/v2/repository/index", {"POST"}),
        ("PATCH", "/", {"GET", "HEAD"}),
        ("OPTIONS", "/v2", {"GET", "HEAD"}),
        ("POST", "/docs/swagger-ui.css", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    alone: Lonely, numbers: Model, method: str, path: str, allowed: set[str]
) -> None:
    """405 with Allow, of a replica."""
    made: Alone = await alone(numbers)

    answer = await made.http.request(method, path)

    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == allowed
    assert method in answer.json()["error"]


async def test_a_service_tells_the_right_methods_too(tmp_path: Any) -> None:
    """405 with Allow, as problem details; on paths of routers, of every service and of its pages."""
    async with opened("service", tmp_path) as url, httpx.AsyncClient(base_url=url) as http:
        answers = {path: await http.put(path, json={}) for path in ("/routes", "/models/m/rollback", "/docs", "/")}
        gone = await http.put("/nowhere", json={})

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(answers, 405)
    assert answers["/models/m/rollback"].headers["allow"] == "POST"
    assert "GET" in answers["/routes"].headers["allow"]
    assert answers["/routes"].headers["content-type"] == "application/problem+json"
    assert gone.status_code == 404


async def test_a_page_of_a_named_origin_may_ask(url: str) -> None:
    """The browser asks in advance, without a key; the answer itself needs one, and may be read by that page."""
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    async with httpx.AsyncClient(base_url=url) as http:
        before = await http.options("/v2/models/m/infer", headers={"origin": CONSOLE, **ask})
        answer = await http.get("/", headers={"origin": CONSOLE})
        refused = await http.get("/keys", headers={"origin": CONSOLE})

    assert before.status_code == 204
    assert before.headers["access-control-allow-origin"] == CONSOLE
    assert "authorization" in before.headers["access-control-allow-headers"]
    assert "POST" in before.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-origin"] == refused.headers["access-control-allow-origin"] == CONSOLE
    assert refused.status_code == 401
    assert "access-control-allow-credentials" not in before.headers


async def test_a_page_of_another_origin_may_not(url: str) -> None:
    """Nothing in an answer lets its browser hand it over."""
    ask = {"access-control-request-method": "POST"}
    async with httpx.AsyncClient(base_url=url) as http:
        before = await http.options("/v2/models/m/infer", headers={"origin": OTHER, **ask})
        answer = await http.get("/", headers={"origin": OTHER})

    assert before.status_code in (401, 405)
    assert not [name for each in (before, answer) for name in each.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origins", [(), ("*",)])
async def test_no_origin_is_allowed_unless_a_setting_says_so(
    alone: Lonely, numbers: Model, origins: tuple[str, ...]
) -> None:
    """Of predictions, too, which else take the short way."""
    made: Alone = await alone(numbers, http_cors_origins=origins)
    await made.serve("m", numbers.route())

    answer = await made.http.post("/v2/models/m/infer", json=matrix([1.0, 2.0, 3.0, 4.0]), headers={"origin": OTHER})

    assert answer.status_code == 200
    assert answer.headers.get("access-control-allow-origin") == (OTHER if origins else None)


async def test_the_repository_is_listed_with_its_states(alone: Lonely, numbers: Model, rival: Model) -> None:
    """Every version that is routed, ready or not, and why not; `ready` leaves the others out."""
    store = Folder(numbers)
    made: Alone = await alone(store=store)
    await made.serve("a", numbers.route(3))
    store.away = True
    await made.serve("b", rival.route(1), settle=False)
    await eventually(lambda: "b" in made.replica.repository.troubles)

    index = (await made.http.post("/v2/repository/index")).json()
    ready = (await made.http.post("/v2/repository/index", json={"ready": True})).json()
    wrong = [await made.http.post("/v2/repository/index", content=body) for body in (b"[]", b"{", b'{"ready": 1}')]

    assert index[0] == {"name": "a", "version": "3", "state": "READY", "reason": ""}
    assert (index[1]["name"], index[1]["state"]) == ("b", "UNAVAILABLE")
    assert "away" in index[1]["reason"]
    assert ready == index[:1]
    assert [answer.status_code for answer in wrong] == [400] * 3


async def test_health_and_version_are_where_mlflow_has_them(alone: Lonely, numbers: Model) -> None:
    """Its clients and probes look there."""
    made: Alone = await alone(numbers)

    health, version, server = [await made.http.get(path) for path in ("/health", "/version", "/v2")]

    assert health.status_code == 200
    assert version.text == server.json()["version"]
