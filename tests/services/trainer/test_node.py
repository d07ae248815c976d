"""The trainer as a node of a cluster whose head runs elsewhere; tests/infra/compose plays whole runs that way."""

import socket

import pytest

from headrace.trainer.node import own_address
from headrace.trainer.settings import TrainerSettings


def test_a_machine_is_known_by_the_address_that_leads_to_the_head() -> None:
    """Of several networks, Ray must be told the one that the head is on."""
    assert own_address("127.0.0.1:6379") == "127.0.0.1"
    assert own_address("localhost:6379") == "127.0.0.1"


def test_a_head_whose_name_is_unknown_is_an_outage() -> None:
    """The Ray driver ends with an error that its keeper knows, and is started again later."""
    with pytest.raises(socket.gaierror):
        own_address("no-such-head.invalid:6379")


@pytest.mark.parametrize("join", [False, True])
def test_workers_of_another_way_to_ray_are_told_apart(join: bool) -> None:
    """The Ray driver is told whether to join, and its fingerprint differs with it."""
    told = TrainerSettings(ray_join=join).ray.gateway_config("{}")
    other = TrainerSettings(ray_join=not join).ray.gateway_config("{}")

    assert f'"join": {str(join).lower()}' in told
    assert told[-12:] != other[-12:]
