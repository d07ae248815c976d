"""What a run searches before it trains: the declared search, or the one that was asked for with the run. Pure."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from headrace.contracts import Declaration, Search, TrainingRequested
from headrace.contracts.errors import Problem
from headrace.contracts.estimators import Estimator, frameworks
from headrace.contracts.explain import problems_of
from headrace.contracts.search import search_problems
from headrace.tasks import INSTALLED, METRICS, task_named


def wish_problems(declaration: Declaration, asked: TrainingRequested) -> Iterator[Problem]:
    """What is wrong with a search that is asked for with a run, as if it were declared."""
    if asked.search is None:
        return
    try:
        search = Search.model_validate(asked.search)
    except ValidationError as error:
        for each in problems_of(error):
            yield Problem(("search", *each.place), each.text)
        return
    params = {**declaration.training.params, **(asked.params or {})}
    training = declaration.training.model_copy(update={"search": search, "params": params})
    for each in search_problems(declaration.model_copy(update={"training": training}), INSTALLED):
        yield Problem(each.place[1:], each.text)  # of a request the place begins at `search`


def wish_of(declaration: Declaration, asked: TrainingRequested) -> dict[str, Any] | None:
    """What a run searches, resolved; None where it trains at once.

    A parameter that is asked for with the run is not searched; where nothing is left to search, nothing is.
    """
    wanted = Search.model_validate(asked.search) if asked.search is not None else declaration.training.search
    if wanted is None:
        return None
    estimator = _estimator(declaration)
    fixed = {estimator.canonical(name) for name in asked.params or {}} if estimator else set()
    space = {
        name: each for name, each in wanted.space.items() if not estimator or estimator.canonical(name) not in fixed
    }
    if not space:
        return None
    metric = wanted.metric or (declaration.evaluation.metrics or task_named(declaration.task).usual)[0]
    told = wanted.model_dump(mode="json", exclude={"space", "metric"})
    return {**told, "space": space, "metric": metric, "greater_is_better": METRICS[metric].greater_is_better}


def _estimator(declaration: Declaration) -> Estimator | None:
    info = frameworks().get(declaration.training.framework)
    if info is None or info.own_code:
        return None
    path = declaration.training.estimator or info.usual_of(task_named(declaration.task).kinds)
    return info.estimators.get(path)
