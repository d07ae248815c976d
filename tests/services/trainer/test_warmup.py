"""What a worker pays once, before there is a job."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from headrace.frameworks import LIBRARIES, About, Recipe
from headrace.tasks import TASKS
from headrace.trainer.settings import TrainerSettings
from headrace.trainer.worker import actor, warmup

LARGE = 1 << 30


class Fitting:
    """A framework that notes what it is asked."""

    def __init__(self, name: str, done: list[tuple[str, str]]) -> None:
        self._name, self._done = name, done

    def fit(self, rows: Any, recipe: Recipe, progress: Any) -> str:
        """Note the estimator."""
        assert {*rows.columns} == {*(column.name for column in recipe.features), recipe.target}
        self._done.append((self._name, recipe.estimator))
        return self._name

    def save(self, fitted: str, folder: Path, about: About) -> None:
        """Note the folder, which is there."""
        assert folder.is_dir()
        self._done.append((fitted, "saved"))


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was done, with two libraries installed and what runs a user's code."""
    done: list[tuple[str, str]] = []
    here = {name: Fitting(name, done) for name in ("sklearn", "lightgbm", "code")}
    monkeypatch.setattr(warmup, "FRAMEWORKS", here)
    monkeypatch.setattr(warmup, "load", lambda folder: done.append(("loaded", folder.name[:9])))
    return done


def test_every_library_that_is_installed_fits_saves_and_loads_its_usual_model(done: list[tuple[str, str]]) -> None:
    """What runs a user's code has no model of its own; a library that is not installed is not asked."""
    warmup.warm_up()

    kinds = next(iter(TASKS.values())).kinds
    expected = [
        step
        for name in ("sklearn", "lightgbm")
        for step in ((name, LIBRARIES[name].usual_of(kinds)), (name, "saved"), ("loaded", "headrace-"))
    ]
    assert done == expected


@pytest.mark.parametrize("warm", [True, False])
def test_a_worker_that_was_made_for_a_job_begins_with_it(
    done: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, warm: bool
) -> None:
    """To warm up is for those that wait for work."""
    monkeypatch.setattr(actor, "hide_what_is_not_given", lambda: None)
    monkeypatch.setattr("headrace.trainer.worker.process.Worker", lambda *told: SimpleNamespace(told=told))

    actor.Actor("{}", LARGE, 1, warm)

    assert bool(done) is warm


@pytest.mark.parametrize("warm_up", [True, False])
def test_a_driver_is_told_whether_workers_warm_up(warm_up: bool) -> None:
    """Workers that do and workers that do not are told apart by their names."""
    told = TrainerSettings(warm_up=warm_up).ray.gateway_config("{}")

    assert f'"warm_up": {"true" if warm_up else "false"}' in told
    other = TrainerSettings(warm_up=not warm_up).ray.gateway_config("{}")
    assert told.partition("fingerprint")[2] != other.partition("fingerprint")[2]


def test_workers_warm_up_where_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first run of a user does not pay for imports."""
    monkeypatch.delenv("HEADRACE_WARM_UP")

    assert TrainerSettings().warm_up
