"""Runs that make no version, from the command line."""

from typing import Any

import pytest

from headrace.cli.experiments import parameters
from headrace.client.errors import HeadraceError
from headrace.testkit.cluster import Cluster

from .conftest import CommandLine


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["max_iter=200"], {"max_iter": 200}),
        (["C=0.5", "penalty=l1"], {"C": 0.5, "penalty": "l1"}),
        (["shuffle=true", "seed="], {"shuffle": True, "seed": None}),
        (["layers=[64, 32]", "text=a=b"], {"layers": [64, 32], "text": "a=b"}),
        ([], {}),
    ],
)
def test_the_value_of_a_parameter_has_the_type_that_it_is_written_as(given: list[str], found: dict[str, Any]) -> None:
    """As in a declaration, which is YAML, too."""
    assert parameters(given) == found


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["200"], "'200' is none"),
        (["=200"], "'=200' is none"),
        (["C=1", "C=2"], "--param C is given twice"),
        (["C=[1"], "--param C: '[1' is no YAML value"),
    ],
)
def test_what_is_no_parameter_is_refused_with_its_form(given: list[str], told: str) -> None:
    """Before anything is asked for."""
    with pytest.raises(HeadraceError) as error:
        parameters(given)

    assert told in str(error.value)


def test_runs_of_an_experiment_are_asked_for_compared_and_listed(at: CommandLine, parcels: Cluster) -> None:
    """What they differ in stands side by side; what is not completed is not promoted."""
    wish = ("run", "parcels", "--experiment", "shares", "--json", "--seed")
    runs = [at(*wish, seed).document["run"] for seed in ("1", "2")]
    for run in runs:
        at("runs", "cancel", run)

    told = at("runs", "compare", *runs, "--all", "--json").document["lines"]
    piped = at("runs", "compare", *runs, "--all")
    listed = at("runs", "list", "parcels", "--experiment", "shares", "--json").document
    promoted = at("runs", "promote", runs[0])

    assert {each["part"] for each in told} >= {"run", "data", "training", "usage"}
    assert [each["values"] for each in told if each["name"] == "experiment"] == [["shares", "shares"]]
    assert piped.rows[0] == ["part", "name", runs[0][:8], runs[1][:8]]
    assert {each["run"] for each in listed} == set(runs)
    assert promoted.code == 1
    assert "cannot be promoted" in promoted.err


def test_a_parameter_that_its_estimator_does_not_have_is_refused_at_once(at: CommandLine, parcels: Cluster) -> None:
    """With its name, as in a declaration."""
    ran = at("run", "parcels", "--param", "no_such_parameter=1")

    assert ran.code == 1
    assert "no_such_parameter" in ran.err
