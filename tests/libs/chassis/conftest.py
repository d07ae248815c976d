"""A small service in the harness, with its database migrated."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace.chassis import ServiceSettings


def _load() -> Any:
    place = importlib.util.spec_from_file_location("chassis_program", Path(__file__).with_name("program.py"))
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    sys.modules["chassis_program"] = module
    place.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def program() -> Any:
    """The service's module."""
    return _load()


@pytest.fixture
def on_harness(harness: Any, database_url: str, program: Any) -> Any:
    """Put the service in the harness with some settings changed."""

    def put(**settings: Any) -> Any:
        return harness(program.build, ServiceSettings, identity="trainer", database_url=database_url, **settings)

    return put


@pytest.fixture
def on_sqlite(harness: Any, sqlite_url: str, program: Any) -> Any:
    """The same where the database is not the subject."""

    def put(**settings: Any) -> Any:
        return harness(program.build, ServiceSettings, identity="trainer", database_url=sqlite_url, **settings)

    return put
