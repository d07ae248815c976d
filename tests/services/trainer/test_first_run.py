"""A model that is declared after its data came trains all the same, once."""

from typing import Any

from headrace.contracts import TrainingQueued
from headrace.testkit import Harness

NEW_DATA = {"on": ["new-data"]}


def queued(on: Harness) -> list[str]:
    """Why runs were asked for, in order."""
    return [each.data.reason for each in on.all(TrainingQueued)]


async def test_a_model_whose_data_are_there_starts_its_first_run(on: Harness, world: Any) -> None:
    """It once waited for new data, without a word."""
    await on.say(world.ingested(world.flights()))
    await on.say(world.declared(training=NEW_DATA))

    first = await on.heard(TrainingQueued)
    assert first.data.reason == "first run: flights version 1 was there"
    assert first.data.waits_for == "capacity"


async def test_a_change_of_the_declaration_starts_no_second_first_run(on: Harness, world: Any) -> None:
    """The next run starts with new data."""
    await on.say(world.ingested(world.flights()))
    await on.say(world.declared(training=NEW_DATA))
    await on.say(world.declared(revision=2, training={**NEW_DATA, "seed": 7}))
    await on.quiet()

    assert len(queued(on)) == 1


async def test_a_model_that_no_data_start_is_not_started_by_those_that_are_there(on: Harness, world: Any) -> None:
    """Who leaves new-data out asks for every run."""
    await on.say(world.ingested(world.flights()))
    await on.say(world.declared(training={"on": []}))
    await on.quiet()

    assert queued(on) == []
