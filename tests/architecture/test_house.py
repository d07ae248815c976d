"""The folder is the diagram: who has opened one service knows where everything is in the others."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from headrace.chassis.scopes import SCOPES
from headrace.contracts import services

from .conftest import LIBS, REPLICAS, ROOT, SERVICES, imports, sources

TOP = {"README.md", "services", "libs", "schemas", "infra", "docker-compose.yml", "tests", "Makefile",
       "pyproject.toml", "uv.lock", "LICENSE"}  # fmt: skip
FILES = ("__init__.py", "__main__.py", "service.py", "settings.py", "domain.py", "handlers.py", "tables.py", "api.py")
SERVICE_SECTIONS = ("Owns", "Hears", "Says", "Settings", "How it fails", "Decisions")
LIB_SECTIONS = ("How it fails", "Decisions")
LONGEST = 400
# modules whose distribution has another name
DISTRIBUTIONS = {"yaml": "pyyaml", "sklearn": "scikit-learn", "nats": "nats-py", "PIL": "pillow", "jwt": "pyjwt",
                 "google": "protobuf", "opentelemetry": "opentelemetry-api", "matplotlib": "matplotlib"}  # fmt: skip
MEMBERS = [*(("services", name) for name in (*SERVICES, *REPLICAS)), *(("libs", name) for name in LIBS)]
STANDARD = set(__import__("sys").stdlib_module_names)


def project(kind: str, name: str) -> dict[str, object]:
    """A member's pyproject."""
    table: dict[str, object] = tomllib.loads((ROOT / kind / name / "pyproject.toml").read_text())["project"]
    return table


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("file", FILES)
def test_every_service_has_the_same_rooms(service: str, file: str) -> None:
    """Composition root, settings, decisions, handlers, tables, routes."""
    assert (ROOT / "services" / service / "src/headrace" / service / file).is_file()


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_brings_its_own_migrations(service: str) -> None:
    """They travel inside the package, so that an image can migrate its database."""
    folder = ROOT / "services" / service / "src/headrace" / service / "migrations"

    assert (folder / "env.py").is_file()
    assert list((folder / "versions").glob("*.py"))


@pytest.mark.parametrize("service", [*SERVICES, *REPLICAS])
@pytest.mark.parametrize("section", SERVICE_SECTIONS)
def test_a_services_readme_says_what_people_ask(service: str, section: str) -> None:
    """Owns, hears, says, settings, how it fails, decisions."""
    text = (ROOT / "services" / service / "README.md").read_text()

    assert re.search(rf"^## {section}$", text, re.MULTILINE), f"services/{service}/README.md has no section {section!r}"


@pytest.mark.parametrize("lib", LIBS)
@pytest.mark.parametrize("section", LIB_SECTIONS)
def test_a_librarys_readme_says_how_it_fails(lib: str, section: str) -> None:
    """And why it is as it is."""
    text = (ROOT / "libs" / lib / "README.md").read_text()

    assert re.search(rf"^## {section}$", text, re.MULTILINE), f"libs/{lib}/README.md has no section {section!r}"


@pytest.mark.parametrize("service", [*SERVICES, *REPLICAS])
def test_a_services_readme_names_what_it_hears_and_says(service: str) -> None:
    """The table of the topology and the prose agree."""
    text = (ROOT / "services" / service / "README.md").read_text()
    events = yaml.safe_load((ROOT / "schemas/topology.yaml").read_text())["events"]
    own = [name.removesuffix(".v1") for name, flow in events.items() if service in (*flow["says"], *flow["hears"])]
    missing = [name for name in own if name not in text and f".{name.split('.')[1]}" not in text]

    assert not missing, f"services/{service}/README.md does not mention {missing}"


@pytest.mark.parametrize("service", [*SERVICES, *REPLICAS])
def test_a_services_readme_says_what_is_in_which_file(service: str) -> None:
    """Every module, and none that is gone: whoever looks for a thing finds its file there."""
    folder = ROOT / "services" / service
    section = re.search(r"^## Files$(.*?)(?=^## )", (folder / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert section is not None
    first_cells = " ".join(line.split(" | ")[0] for line in section[1].splitlines() if line.startswith("| `"))
    named = set(re.findall(r"`([a-z_]+(?:\.py|/))`", first_cells))
    package = folder / "src" / "headrace" / service
    there = {each.name for each in package.glob("*.py") if not each.name.startswith("__")}
    there |= {f"{each.parent.name}/" for each in package.glob("*/__init__.py") if each.parent.name != "migrations"}

    assert named == there


def test_the_top_level_is_fixed() -> None:
    """A stranger finds the same few things at the top, whatever is added below."""
    import subprocess

    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    there = {path.split("/")[0] for path in tracked}

    assert {name for name in there if not name.startswith(".")} <= TOP


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_no_file_is_too_long(kind: str, name: str) -> None:
    """A file that needs scrolling for minutes hides something."""
    long = {
        str(file.relative_to(ROOT)): lines
        for file in sources(kind, name)
        if (lines := sum(bool(line.strip()) for line in file.read_text().splitlines())) > LONGEST
    }

    assert not long


@pytest.mark.parametrize(("kind", "name"), MEMBERS)
def test_every_import_is_declared(kind: str, name: str) -> None:
    """One shared environment hides a missing dependency; an image holds only what is declared."""
    declared = _declared(kind, name)
    needed: dict[str, str] = {}
    for file in sources(kind, name):
        for each in imports(file):
            distribution = _distribution(each.module, name)
            if distribution and not _optional(file, each.line):
                needed.setdefault(distribution, str(each))
    missing = {distribution: where for distribution, where in needed.items() if distribution not in declared}
    reachable = _reachable(declared)

    assert not {k: v for k, v in missing.items() if k not in reachable}, f"{kind}/{name}/pyproject.toml lacks {missing}"


def _reachable(declared: set[str]) -> set[str]:
    """What our own libraries bring along: a service may use what its chassis declares."""
    found: set[str] = set(declared)
    queue = [each for each in declared if each.startswith("headrace-")]
    while queue:
        member = queue.pop().removeprefix("headrace-")
        kind = "libs" if member in LIBS else "services"
        for dependency in _declared(kind, member):
            if dependency not in found:
                found.add(dependency)
                if dependency.startswith("headrace-"):
                    queue.append(dependency)
    extras = {"starlette": "fastapi", "sqlalchemy": "sqlmodel", "pydantic-core": "pydantic", "scipy": "scikit-learn"}
    return found | {name for name, owner in extras.items() if owner in found}


def _declared(kind: str, name: str) -> set[str]:
    """What a member names, its extras included: whoever imports from behind one asks for it."""
    table = project(kind, name)
    extras: dict[str, list[str]] = table.get("optional-dependencies", {})  # type: ignore[assignment]
    named = [*table["dependencies"], *(each for extra in extras.values() for each in extra)]  # type: ignore[misc]
    return {_normal(each) for each in named}


def _distribution(module: str, member: str) -> str | None:
    first, *rest = module.split(".")
    if first == "headrace":
        return f"headrace-{rest[0]}" if rest and rest[0] != member else None
    if first in STANDARD or first == "__future__":
        return None
    return _normal(DISTRIBUTIONS.get(first, first))


def _normal(requirement: str) -> str:
    return re.split(r"[\s<>=!~\[;]", str(requirement))[0].lower().replace("_", "-")


def _optional(file: Path, line: int) -> bool:
    """An import inside `try` or `if TYPE_CHECKING` may be absent."""
    return any(first <= line <= last for first, last in _conditional(file))


@cache
def _conditional(file: Path) -> tuple[tuple[int, int], ...]:
    """First and last line of each `try` and `if` of a file."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return tuple((n.lineno, n.end_lineno or n.lineno) for n in nodes if isinstance(n, (ast.Try, ast.If)))


def test_the_lock_names_one_source_and_is_whole() -> None:
    """Everything comes from one kind of place, and every distribution has its hash."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    registries = {package["source"]["registry"] for package in lock["package"] if "registry" in package["source"]}
    other = [p["name"] for p in lock["package"] if not {"registry", "editable", "virtual"} & set(p["source"])]
    hashes = [
        wheel
        for package in lock["package"]
        if "registry" in package["source"]
        for wheel in [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    ]

    assert len(registries) == 1
    assert other == []
    assert all(wheel["hash"].startswith("sha256:") for wheel in hashes)


def test_members_are_found_by_glob_alone() -> None:
    """A new service needs no line in the workspace's file."""
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]

    assert workspace["members"] == ["libs/*", "services/*"]


def test_the_topology_lists_every_service() -> None:
    """From `headrace.contracts.services`, which is made of it, everybody takes names, ports and rights."""
    assert sorted(services.SERVICES) == SERVICES
    assert sorted(services.REPLICAS) == sorted(REPLICAS)
    assert services.PORTS.keys() == {*SERVICES, *REPLICAS}
    assert len({*services.PORTS.values()}) == len(services.PORTS)


def test_no_other_list_of_services_is_written_by_hand() -> None:
    """A list that names three services or more will one day lack the newest."""
    hand = re.compile(r"[\[({](?:\s*[\"'](?:" + "|".join([*SERVICES, *REPLICAS]) + r")[\"']\s*[,:][^\n]*?){3,}")
    members = [*(("services", name) for name in (*SERVICES, *REPLICAS)), *(("libs", name) for name in LIBS)]
    found = [str(file) for kind, name in members for file in sources(kind, name) if hand.search(file.read_text())]

    assert not found, f"take the names from headrace.contracts.services: {found}"


def test_the_readme_says_where_every_service_answers() -> None:
    """The table of services has each with its usual port, and leads to its README."""
    text = (ROOT / "README.md").read_text()
    rows = dict(re.findall(r"^\| \[(\w+)\]\(services/\w+/README.md\) \|.*\| (\d+) \|$", text, re.MULTILINE))

    assert rows == {name: str(port) for name, port in services.PORTS.items()}


def test_every_scope_is_of_a_service_or_of_all() -> None:
    """`<service>:read` is there for each service; the rest is common to all, or the replicas'."""
    owners = {scope.partition(":")[0] for scope in SCOPES}

    assert {*SERVICES} <= owners <= {*SERVICES, "dead-letters", "keys", "predict", "admin"}
    assert {f"{service}:read" for service in SERVICES} <= SCOPES.keys()


# loops that wait and are no timers; each says why `every` is not what runs it
NO_TIMERS = {
    "chassis/every.py": "it is `every` itself",
    "chassis/restart.py": "it keeps up what is no timer, such as the follower of a stream, and names what fails",
    "chassis/__main__.py": "a command that waits until the database is there or migrated, and then ends",
    "inference/model_repository.py": "one task a model, woken by its table; each load has its back-off",
    "trainer/run_logs.py": "an answer that goes on until a run has ended, for who asked for it",
    "ingest/jobs.py": "it renews the lease of one job while that is worked on, and ends with it",
}


def test_background_loops_are_run_by_every() -> None:
    """A loop of one's own has no isolation of items, no back-off and no dead letters."""
    members = [*(("services", name) for name in (*SERVICES, *REPLICAS)), ("libs", "chassis")]
    found = {
        f"{name}/{file.relative_to(ROOT / kind / name / 'src/headrace' / name)}"
        for kind, name in members
        for file in sources(kind, name)
        if any(map(waits_in_a_loop, ast.walk(ast.parse(file.read_text()))))
    }

    assert not found - NO_TIMERS.keys(), f"use headrace.chassis.every instead: {found - NO_TIMERS.keys()}"
    assert not NO_TIMERS.keys() - found, f"these wait in no loop any more: {NO_TIMERS.keys() - found}"


@pytest.mark.parametrize(
    ("loop", "waits"),
    [
        ("while True:\n  await self.ship()", True),
        ("while 1:\n  await asyncio.sleep(1)", True),
        ("while not stopping:\n  time.sleep(1)", True),
        ("while await self.look():\n  await changed.wait()", True),
        ("while left := deadline():\n  await asyncio.wait_for(done(), left)", True),
        ("for _ in itertools.count():\n  await self.ship()", True),
        ("for each in forever():\n  time.sleep(1)", True),
        ("async for _ in ticks():\n  await asyncio.sleep(1)", True),
        ("while True:\n  take(queue.popleft())", False),
        ("while more:\n  more = await receive()", False),
        ("for each in batch:\n  await self.send(each)", False),
        ("async for message in follower:\n  apply(message)", False),
    ],
)
def test_a_loop_that_waits_is_seen_however_it_is_written(loop: str, waits: bool) -> None:
    """`while True` is one way of many."""
    body = loop.replace("\n", "\n  ")

    assert any(map(waits_in_a_loop, ast.walk(ast.parse(f"async def run(self):\n  {body}")))) == waits


def waits_in_a_loop(node: ast.AST) -> bool:
    """A loop in which something sleeps or waits, or one without an end in which something is awaited."""
    if not isinstance(node, (ast.While, ast.For, ast.AsyncFor)):
        return False
    called = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    names = [str(getattr(func, "attr", getattr(func, "id", ""))) for func in called]
    if any(re.fullmatch(r"_?(sleep|wait|wait_for|pause)", name) for name in names):
        return True
    endless = isinstance(node.test, ast.Constant) if isinstance(node, ast.While) else "count" in names
    return endless and any(isinstance(each, ast.Await) for each in ast.walk(node))


def routes(verb: str) -> list[tuple[Path, ast.AsyncFunctionDef]]:
    """The route functions of all services and of the chassis for an HTTP method."""
    members = [*(("services", name) for name in (*SERVICES, *REPLICAS)), ("libs", "chassis")]
    found = ((file, node) for kind, name in members for file in sources(kind, name) for node in _functions(file))
    return [(file, node) for file, node in found if any(_is_route(each, verb) for each in node.decorator_list)]


def _functions(file: Path) -> list[ast.AsyncFunctionDef]:
    return [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.AsyncFunctionDef)]


def _is_route(decorator: ast.expr, verb: str) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute) and decorator.func.attr == verb


def _parameters(node: ast.AsyncFunctionDef) -> dict[str, str]:
    """The parameters of a function and their types, as written."""
    return {each.arg: ast.unparse(each.annotation) for each in node.args.args if each.annotation}


def test_every_listing_is_a_page() -> None:
    """A bare list has no end that a caller can see, and grows until it is too long."""
    listings = [
        (f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", ast.unparse(node.returns or ast.Constant(None)), node)
        for file, node in routes("get")
    ]
    bare = [place for place, answer, _ in listings if re.match(r"(list|tuple|set|Sequence|Iterable)\[", answer)]
    pages = [(place, _parameters(node)) for place, answer, node in listings if answer.startswith("Page[")]
    other = [place for place, has in pages if has.get("limit") != "Limit" or "cursor" not in has]
    limited = {place for place, _, node in listings if "limit" in _parameters(node)}

    assert not bare, f"answer headrace.chassis.paging.Page instead of a list: {bare}"
    assert not other, f"a page is asked for with `limit: Limit` and a `cursor`: {other}"
    assert limited == {place for place, _ in pages}, "what has a limit is a Page"
    assert len(pages) > 12


def test_what_a_route_needs_is_a_typed_dependency() -> None:
    """`app.state` holds anything under any name, and no type checker sees what; `Service(provides=...)` has types."""
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for service in (*SERVICES, *REPLICAS)
        for file in sources("services", service)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith("app.state")
    ]

    assert not found, f"name it in Service(provides=...) and ask with headrace.chassis.http.provided: {found}"


# statements that put rows which may be there already, beside headrace.bus.upsert; each says why
OTHER_UPSERTS = {
    "bus/inbox.py": "the claim of a message: one statement that also says what was claimed, and asks for a mark",
}


def test_rows_that_may_be_there_are_put_in_one_way() -> None:
    """`merge` reads before it writes, so two copies of a service may both find nothing; a statement of one's own is
    written for one of the two databases.
    """
    members = [*(("services", name) for name in SERVICES), *(("libs", name) for name in LIBS)]
    found = {
        f"{name}/{file.relative_to(ROOT / kind / name / 'src/headrace' / name)}"
        for kind, name in members
        for file in sources(kind, name)
        if re.search(r"on_conflict_do|session\.merge\(|ON CONFLICT|OR REPLACE", file.read_text())
    } - {"bus/upsert.py"}

    assert found == OTHER_UPSERTS.keys(), f"use headrace.bus.upsert: {found ^ OTHER_UPSERTS.keys()}"


# services whose Repository lies elsewhere than in tables.py; each says why
OTHER_REPOSITORIES = {
    "audit": "repository.py: what it shows is derived anew from the log, by modules that themselves read the tables",
}
# where timers are made beside timers.py and the composition root; each says why
OTHER_TIMERS = {
    "audit/mirror.py": "one loop with the class that copies the log",
    "ingest/jobs.py": "one loop with the class that works on jobs",
    "trainer/compute.py": "one loop with the connection to Ray that it keeps up",
    "trainer/dispatch.py": "one loop with the class that gives runs to workers",
}


@pytest.mark.parametrize("service", SERVICES)
def test_the_repository_of_every_service_has_the_same_name_and_place(service: str) -> None:
    """Who has read the tables of one service knows where the queries of another one are."""
    folder = ROOT / "services" / service / "src/headrace" / service
    place = OTHER_REPOSITORIES.get(service, "tables.py").partition(":")[0]

    assert re.search(r"^class Repository\b", (folder / place).read_text(), re.MULTILINE), f"{service}/{place}"


def test_timers_are_in_the_same_place_everywhere() -> None:
    """What happens by the clock is in `timers.py`, and is put together in `service.py`."""
    found = {
        f"{service}/{file.name}"
        for service in SERVICES
        for file in sources("services", service)
        if file.name not in ("service.py", "timers.py") and re.search(r"\b(every|chore)\(", file.read_text())
    }

    assert found == OTHER_TIMERS.keys(), f"move these to timers.py: {found ^ OTHER_TIMERS.keys()}"


def test_states_change_in_the_domain_alone() -> None:
    """Who sets a state beside it skips the rule that says which step is possible from where, and the fact about it."""
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for service in SERVICES
        for file in sources("services", service)
        if file.name != "tables.py"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Assign) and any(_names_state(target) for target in node.targets)
    ]

    assert not found, f"decide in domain.py and keep the Decision: {found}"


def _names_state(target: ast.expr) -> bool:
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    return any(isinstance(part, ast.Attribute) and part.attr == "state" for part in parts)
