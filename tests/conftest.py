"""How the suite is shared among processes: what takes long to start is started once, by one of them; a browser."""

import shutil
from collections.abc import Iterator

import pytest
from selenium import webdriver

# Fixtures that start whole stacks, or Ray; the first that a test asks for names its group.
COSTLY = ("ray_head", "world", "rig", "stack")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a costly fixture go to the same process; the others go wherever there is room."""
    for item in items:
        shared = next((name for name in COSTLY if name in getattr(item, "fixturenames", ())), None)
        if shared is not None:
            item.add_marker(pytest.mark.xdist_group(shared))


def pytest_collection_finish(session: pytest.Session) -> None:
    """A group that xdist was told and pytest does not carry would start every stack in every process, unseen."""
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
