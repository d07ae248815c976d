"""Who may know whom: services know libraries, never each other; decisions know no input or output."""

import pytest

from .conftest import LIBS, REPLICAS, SERVICES, imports, sources

# what each library may import of ours; a service may import every library but those that stand above services
ALLOWED: dict[str, set[str]] = {
    "contracts": set(),
    "faults": set(),
    "code": set(),
    "bus": {"contracts", "faults"},
    "objects": {"contracts", "faults"},
    "detectors": {"contracts"},
    "channels": {"contracts"},
    "strategies": {"contracts"},
    "tasks": {"contracts", "channels", "detectors", "strategies"},
    "pmml": {"contracts"},
    "runtimes": {"contracts", "code", "pmml"},
    "frameworks": {"contracts", "code", "runtimes", "tasks"},
    "tlog": set(),
    "chassis": {"contracts", "bus"},
    "provision": {"contracts", "bus", "chassis", "objects", "tlog"},
    "local": {"contracts", "bus", "chassis", "objects", "provision"},
    "client": {"contracts", "code", "bus", "tlog"},
    "cli": {"contracts", "code", "tasks", "client", "chassis", "local", "provision"},
    "demo": {"contracts", "client", "cli", "local"},
    "testkit": {"contracts", "faults", "tasks", "bus", "chassis", "objects", "provision", "local"},
}
ABOVE_SERVICES = {"client", "cli", "demo", "local", "provision", "testkit"}
HTTP_CLIENTS = {"httpx", "requests", "aiohttp", "urllib.request", "http.client", "urllib3", "websockets", "grpc"}
IO = {
    "asyncio", "socket", "subprocess", "sqlite3", "sqlalchemy", "sqlmodel", "alembic", "nats",
    "minio", "fastapi", "starlette", "uvicorn", "httpx", "requests", "urllib", "ray",
    "pandas", "pyarrow", "polars", "structlog", "shutil", "tempfile", "os",
}  # fmt: skip
PURE_LIBS = {"contracts", "frameworks", "pmml", "runtimes", "strategies", "tasks"}  # what a domain may import of ours


def ours(module: str) -> str | None:
    """Which of our members a module belongs to."""
    parts = module.split(".")
    return parts[1] if parts[0] == "headrace" and len(parts) > 1 else None


@pytest.mark.parametrize("service", [*SERVICES, *REPLICAS])
def test_a_service_imports_no_other_service(service: str) -> None:
    """Services talk through events alone; sharing code would tie their releases together."""
    others = {*SERVICES, *REPLICAS} - {service}
    found = [
        str(each) for file in sources("services", service) for each in imports(file) if ours(each.module) in others
    ]

    assert not found, "put what both need into libs/, or say it as an event: " + "; ".join(found)


@pytest.mark.parametrize("service", [*SERVICES, *REPLICAS])
def test_a_service_imports_no_library_that_stands_above_services(service: str) -> None:
    """client, local and testkit know the services, not the other way round."""
    found = [
        str(each)
        for file in sources("services", service)
        for each in imports(file)
        if ours(each.module) in ABOVE_SERVICES
    ]

    assert not found, "; ".join(found)


@pytest.mark.parametrize("service", [*SERVICES, *REPLICAS])
def test_a_service_opens_no_http_connection(service: str) -> None:
    """HTTP is for people and programs outside; services hear each other over the bus."""
    found = [
        str(each)
        for file in sources("services", service)
        for each in imports(file)
        if any(each.module == name or each.module.startswith(f"{name}.") for name in HTTP_CLIENTS)
    ]

    assert not found, "say or hear an event instead: " + "; ".join(found)


@pytest.mark.parametrize("lib", LIBS)
def test_a_library_imports_only_what_stands_below_it(lib: str) -> None:
    """Contracts <- bus <- chassis; contracts <- objects, runtimes <- frameworks; everything else above."""
    assert lib in ALLOWED, f"say in {__name__} what libs/{lib} may import"
    allowed = ALLOWED[lib] | {lib}
    found = [
        str(each)
        for file in sources("libs", lib)
        for each in imports(file)
        if (member := ours(each.module)) is not None and member not in allowed
    ]

    assert not found, f"libs/{lib} may import {sorted(ALLOWED[lib]) or 'none of ours'}: " + "; ".join(found)


@pytest.mark.parametrize("service", SERVICES)
def test_decisions_are_pure(service: str) -> None:
    """domain.py imports no input or output, so that it can be tested without anything around it."""
    domain = [file for file in sources("services", service) if file.name == "domain.py"]
    assert domain, f"services/{service} decides something: it has a domain.py"
    found = [
        str(each)
        for file in domain
        for each in imports(file)
        if each.module.split(".")[0] in IO
        or ((member := ours(each.module)) is not None and member not in PURE_LIBS | {service, "tlog"})
    ]

    assert not found, "decide here, act in handlers.py: " + "; ".join(found)


@pytest.mark.parametrize("service", [*SERVICES, *REPLICAS])
def test_only_settings_read_the_environment(service: str) -> None:
    """Settings are one frozen value, built once and handed down."""
    readers = [
        f"{file.name}:{number}"
        for file in sources("services", service)
        if file.name != "settings.py"
        for number, line in enumerate(file.read_text().splitlines(), start=1)
        if "os.environ[" in line or "os.environ.get" in line or "os.getenv" in line
    ]

    assert not readers, "read it in settings.py: " + "; ".join(readers)


def test_a_broken_rule_would_be_noticed() -> None:
    """The rules look at what is really there: each member has files, and files have imports."""
    for kind, names in (("services", SERVICES), ("libs", LIBS)):
        for name in names:
            found = [each for file in sources(kind, name) for each in imports(file)]
            assert len(found) > 3, f"{kind}/{name} seems empty"
