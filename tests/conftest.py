"""How the suite is shared among targets and processes: what takes long is started once, or run once; a browser."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from selenium import webdriver

from headrace.chassis.process import calm_collector
from headrace.testkit.examples import FACTOR, examples
from headrace.testkit.memory import use_memory

# The processes of a run share the cores: threads of OpenMP would spin while they wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Every trainer that a test starts has workers of its own, most of them for one run: they begin with that.
os.environ.setdefault("HEADRACE_WARM_UP", "false")

# Where nobody cuts the power, a commit need not wait for a disk; the fault suites keep theirs.
if os.environ.get("TEST_FILES") == "memory":
    use_memory(os.environ)

# What is imported and collected stays: to look for garbage in it is a sixth of the time that collecting takes.
gc.set_threshold(100_000, 50, 100)

# A run finds what the last one found; HEADRACE_EXAMPLES=20 tries twenty times as many examples, and new ones each time.
# Other processes share the cores, so that how long an example takes says nothing about it.
settings.register_profile(
    "headrace",
    max_examples=examples(100),
    deadline=None,
    derandomize=FACTOR == 1,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("headrace")

# Fixtures that start whole stacks, all services, Ray or a browser; the first that a test asks for names its group.
COSTLY = ("ray_head", "world", "rig", "stack", "cluster", "browser")
SERVICES = Path(__file__).parent / "services"
# What `make frameworks` runs, in an environment that has every library.
MODELS = tuple(Path(__file__).parent / "libs" / name for name in ("frameworks", "runtimes", "pmml"))
# What `make edge` runs.
EDGE = tuple(Path(__file__).parent / name for name in ("clients", "denials", "fuzz", "tls"))


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a costly fixture go to the same process; the others go wherever there is room."""
    _mark_second_kind(items)
    for item in items:
        for folders, mark in ((MODELS, pytest.mark.models), (EDGE, pytest.mark.edge)):
            if any(folder in item.path.parents for folder in folders):
                item.add_marker(mark)
        group = next(filter(None, (_group(item, name) for name in COSTLY)), None)
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))


def _group(item: pytest.Item, name: str) -> str | None:
    """The fixture and where it is defined; none where it is another of that name, made anew for each test."""
    found = getattr(item, "_fixtureinfo", None) and item._fixtureinfo.name2fixturedefs.get(name)  # type: ignore[attr-defined]
    if not found or found[-1].scope == "function":
        return None
    return f"{name}-{Path(found[-1].baseid).stem}".removesuffix("-")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """A costly fixture ends with the tests that use it: idle services cost all others a tenth of a core."""
    known = item.session._fixturemanager._arg2fixturedefs
    for each in (found for name in COSTLY for found in known.get(name, ()) if found.scope == "session"):
        if nextitem is None or not _goes_on(each.argname, each.baseid, nextitem):
            each.finish(item._request)  # type: ignore[attr-defined]  # nothing where it was not asked for


def _goes_on(fixture: str, folder: str, nextitem: pytest.Item) -> bool:
    """Whether tests of its folder follow, or of its group where every folder has it."""
    if folder:
        return nextitem.nodeid.startswith(f"{folder}/")
    return not nextitem.config.getoption("loadgroup", False) or nextitem.nodeid.endswith(f"@{fixture}")


def _mark_second_kind(items: list[pytest.Item]) -> None:
    """Of each module of a service one test runs on PostgreSQL in `make test`, and all of them in `make postgres`.

    Delivery, migrations and everything else whose subject is the database run on both kinds always.
    """
    seen: set[Path] = set()
    for item in items:
        if item.get_closest_marker("postgres") is None or SERVICES not in item.path.parents:
            continue
        if item.path in seen and item.path.parent != SERVICES:
            item.add_marker(pytest.mark.second_kind)
        seen.add(item.path)


def pytest_collection_finish(session: pytest.Session) -> None:
    """A group that xdist was told and pytest does not carry would start every stack in every process, unseen."""
    calm_collector()  # every service, Ray and pandas are loaded by now: the collector need not walk over them again
    if not session.config.getoption("loadgroup", False):
        return
    for item in session.items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and not item.nodeid.endswith(f"@{group.args[0]}"):
            raise pytest.UsageError(f"pytest {pytest.__version__} and this pytest-xdist do not share out groups")


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """A headless Chromium; skipped, saying how to get one, where there is none."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium on this machine: `make browser` installs it")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--window-size=1200,1000"):  # fmt: skip
        options.add_argument(flag)
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(driver)) as chrome:
        yield chrome
