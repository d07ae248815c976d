"""Channels: one suite over the mapping, so that a new one is tested before its author writes a test."""

import re

import pytest

from headrace.channels import CHANNELS
from headrace.contracts import ContractError
from headrace.contracts.catalogs import Catalog
from headrace.tasks import INSTALLED, parse_declaration

NAME = r"^[a-z0-9][a-z0-9_-]{0,62}$"


@pytest.mark.parametrize("name", CHANNELS)
def test_a_channel_says_what_it_is(name: str) -> None:
    """Under its own name, which declarations may hold."""
    assert CHANNELS[name].name == name
    assert CHANNELS[name].about
    assert re.fullmatch(NAME, name)


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("to", ["", "\x00", "a\nb", "x" * 5000])
def test_a_channel_refuses_what_is_no_place(name: str, to: str) -> None:
    """When it is declared, not when somebody should have been told."""
    assert CHANNELS[name].place_problem(to)


def test_an_unknown_channel_is_answered_with_the_nearest() -> None:
    """At its place in the declaration."""
    told = [{"channel": "webhok", "to": "https://alerts.example.org"}]
    document = {"name": "m", "data": {"dataset": "d", "target": "y"}, "monitoring": {"tell": told}}

    with pytest.raises(
        ContractError, match=r"monitoring\.tell\[0\]\.channel: 'webhok' is not known; did you mean 'web"
    ):
        parse_declaration(document)


def test_the_names_are_those_that_there_are() -> None:
    """No second list."""
    catalog: Catalog = INSTALLED.names["channel"]
    assert set(catalog.entries) == set(CHANNELS)
