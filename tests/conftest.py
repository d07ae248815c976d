"""How the suite is shared among processes: what takes long to start is started once, by one of them."""

import pytest

COSTLY = ("world", "rig", "stack", "ray_head")  # fixtures that start whole stacks, or Ray


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a costly fixture go to the same process; the others go wherever there is room."""
    for item in items:
        shared = next((name for name in COSTLY if name in getattr(item, "fixturenames", ())), None)
        if shared is not None:
            item.add_marker(pytest.mark.xdist_group(shared))
