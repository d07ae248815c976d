"""Which parameters a search tries next: Optuna's TPE over a declared space, told what came of the trials before.

Every trial asks with a seed of its own, made of that of the run and of its number. So a search that goes on after a
loss proposes what it would have proposed, as far as the same trials have ended by then.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from headrace.contracts.search import Dimension
from headrace.trainer.worker.jobs import Tried

optuna.logging.set_verbosity(optuna.logging.ERROR)  # one line a trial would drown what libraries say


class Asker:
    """Proposes parameters by number, from 1 on. A trial that had begun before is proposed as it was."""

    def __init__(
        self,
        space: Mapping[str, Dimension],
        seed: int,
        *,
        greater_is_better: bool,
        parallel: int = 1,
        known: Sequence[Tried] = (),
    ) -> None:
        self._space, self._seed, self._parallel = space, seed, parallel
        self._distributions = {name: _distribution(each) for name, each in space.items()}
        self._study = optuna.create_study(direction="maximize" if greater_is_better else "minimize")
        self._asked: dict[int, optuna.trial.Trial] = {}
        self._known = {each.number: each for each in known}
        for each in sorted(known, key=lambda tried: tried.number):
            if each.state in _STATES:
                self._study.add_trial(self._frozen(each))

    def ask(self, number: int) -> dict[str, Any]:
        """The parameters of a trial."""
        begun = self._known.get(number)
        if begun is not None:
            self._study.enqueue_trial(self._inner(begun.params))
        self._study.sampler = _sampler(self._seed, number, self._parallel)
        trial = self._study.ask(self._distributions)
        self._asked[number] = trial
        return {name: self._outer(name, value) for name, value in trial.params.items()}

    def tell(self, tried: Tried) -> None:
        """What came of a trial that was asked for."""
        trial = self._asked.pop(tried.number)
        if tried.value is not None and tried.reached is not None:
            trial.report(tried.value, tried.reached)
        state = _STATES[tried.state]
        self._study.tell(trial, tried.value if state is _COMPLETE else None, state=state)

    def _frozen(self, tried: Tried) -> optuna.trial.FrozenTrial:
        state = _STATES[tried.state]
        steps = {tried.reached: tried.value} if tried.reached is not None and tried.value is not None else {}
        return optuna.trial.create_trial(
            state=state,
            value=tried.value if state is _COMPLETE else None,
            params=self._inner(tried.params),
            distributions=self._distributions,
            intermediate_values=steps,
        )

    def _inner(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._place(name, value) for name, value in params.items()}

    def _place(self, name: str, value: Any) -> Any:
        """A choice by its place, since it may be a list, or one of several equal to a study: 1 and true."""
        choices = self._space[name].choices
        same = (at for at, each in enumerate(choices) if each == value and type(each) is type(value))
        return next(same) if choices else value

    def _outer(self, name: str, value: Any) -> Any:
        choices = self._space[name].choices
        return choices[value] if choices else value


_COMPLETE = optuna.trial.TrialState.COMPLETE
_STATES = {
    "completed": _COMPLETE,
    "stopped": optuna.trial.TrialState.PRUNED,
    "failed": optuna.trial.TrialState.FAIL,
}
"""The states of trials that are over, as Optuna calls them."""


def _sampler(seed: int, number: int, parallel: int) -> optuna.samplers.BaseSampler:
    """With trials at a time, those that are not over count as bad ones, so that not all try the same place."""
    return optuna.samplers.TPESampler(seed=(seed * 1_000_003 + number) % 2**32, constant_liar=parallel > 1)


def _distribution(dimension: Dimension) -> BaseDistribution:
    if dimension.kind == "choice":
        return CategoricalDistribution(list(range(len(dimension.choices))))
    low, high = dimension.low, _last(dimension)
    if dimension.kind == "integer":
        return IntDistribution(int(low), int(high), log=dimension.log, step=int(dimension.step or 1))
    return FloatDistribution(float(low), float(high), log=dimension.log, step=dimension.step)


def _last(dimension: Dimension) -> float:
    """The largest number that steps lead to."""
    if dimension.step is None:
        return dimension.high
    steps = math.floor((dimension.high - dimension.low) / dimension.step + 1e-9)
    return dimension.low + steps * dimension.step
