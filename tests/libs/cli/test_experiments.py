"""Runs that make no version, from the command line."""

from pathlib import Path
from typing import Any

import pytest

from headrace.cli.experiments import parameters, ranked, searched
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


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (
            "{space: {max_iter: {from: 5, to: 9}}, trials: 3}",
            {"space": {"max_iter": {"from": 5, "to": 9}}, "trials": 3},
        ),
        ("trials: 3", {"trials": 3}),
    ],
)
def test_a_search_is_written_as_in_a_declaration(given: str, found: dict[str, Any], tmp_path: Path) -> None:
    """On the command line, or in a file."""
    file = tmp_path / "search.yaml"
    file.write_text(given)

    assert searched(given) == searched(f"@{file}") == found


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("max_iter", "--search takes a mapping such as"),
        ("[1, 2]", "--search takes a mapping such as"),
        ("{space: ", "--search: "),
        ("@/nowhere/search.yaml", "No such file"),
    ],
)
def test_what_is_no_search_is_refused_before_anything_is_asked_for(given: str, told: str) -> None:
    """With what would be one."""
    with pytest.raises(HeadraceError) as error:
        searched(given)

    assert told in str(error.value)


def trial(number: int, state: str, value: float | None = None, /, **outcome: Any) -> dict[str, Any]:
    """A trial as the trainer shows it."""
    known = {"kind": "tried", **outcome} | ({"metrics": {"rmse": value}} if value is not None else {})
    return {"trial": number, "state": state, "params": {"depth": number}, "outcome": known if outcome else None}


def test_trials_are_ranked_by_their_figure_in_its_direction() -> None:
    """First those that were judged; then the others, by number, each with its own state and its reason."""
    trials = [
        trial(4, "running"),
        trial(1, "completed", 0.3, state="completed"),
        trial(2, "cancelled", 0.1, state="stopped", reason="behind"),
        trial(3, "completed", 0.2, state="completed"),
        trial(5, "failed", state="failed", reason="too much"),
    ]

    falls = ranked(trials, greater_is_better=False)
    rises = ranked(trials, greater_is_better=True)

    assert [each["trial"] for each in falls] == [3, 1, 2, 4, 5]
    assert [each["trial"] for each in rises] == [1, 3, 2, 4, 5]
    assert [(each["state"], each["why"]) for each in falls[2:]] == [
        ("stopped", "behind"), ("running", None), ("failed", "too much"),
    ]  # fmt: skip
    assert falls[0]["metrics"] == {"rmse": 0.2}
    assert falls[0]["tried"] == {"depth": 3}


def test_a_search_that_is_wrong_is_refused_at_once(at: CommandLine, parcels: Cluster) -> None:
    """By the same words as at `apply`."""
    ran = at("run", "parcels", "--search", "{space: {no_such: {from: 1, to: 2}}}")

    assert ran.code == 1
    assert "search.space.no_such" in ran.err


def test_a_search_is_asked_for_and_has_no_trials_before_it_starts(at: CommandLine, parcels: Cluster) -> None:
    """What is searched is shown with the run."""
    search = "{space: {learning_rate: {from: 0.05, to: 0.5, scale: log}}, trials: 2}"
    run = at("run", "parcels", "--search", search, "--dataset-version", "99", "--json").document["run"]

    shown = at("runs", "show", run, "--json").document
    trials = at("runs", "trials", run)
    at("runs", "cancel", run)

    assert (shown["search"]["trials"], shown["search"]["parallel"]) == (2, 2)
    assert shown["search"]["space"] == {"learning_rate": {"from": 0.05, "to": 0.5, "scale": "log"}}
    assert "has no trials" in trials.err


def test_a_run_has_the_priority_that_it_is_asked_for_with(at: CommandLine, parcels: Cluster) -> None:
    """By name or number; `runs list` shows it, and what is no priority is refused with the nearest one."""
    asked = [at("run", "parcels", "--priority", each, "--json").document for each in ("high", "-3")]
    trained = at("train", "parcels", "--priority", "low", "--json").document
    for each in (*asked, trained):
        at("runs", "cancel", each["run"])

    listed = at("runs", "list", "parcels", "--json").document
    refused = at("run", "parcels", "--priority", "hihg")

    assert [each["priority"] for each in (*asked, trained)] == [5, -3, -5]
    assert {each["priority"] for each in listed} >= {5, -3, -5}
    assert (refused.code, "did you mean 'high'?" in refused.err) == (1, True)
