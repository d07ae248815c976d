"""The two ways in which Ray Tune and a search speak with each other; apart, since they stand on Tune's own classes."""

from typing import Any

from ray.tune import Callback
from ray.tune.search import Searcher

from headrace.trainer.worker.jobs import Tried
from headrace.trainer.worker.searching import LOW_MEMORY, TRIED, VALUE, Trials, stopped


class Proposals(Searcher):
    """Gives Tune the parameters of the next trial, and hears how each one ended."""

    def __init__(self, trials: Trials, greater_is_better: bool) -> None:
        super().__init__(metric=VALUE, mode="max" if greater_is_better else "min")
        self._trials = trials
        self._running: dict[str, tuple[int, dict[str, Any]]] = {}

    def suggest(self, trial_id: str) -> Any:
        """The next one; FINISHED where there is none."""
        following = self._trials.next()
        if following is None:
            return Searcher.FINISHED
        number, params = self._running[trial_id] = following
        return {"trial": {"number": number, "params": params}}

    def began(self, trial_id: str) -> None:
        """Its actor is there."""
        self._trials.began(*self._running[trial_id])

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """It has told what came of it, or was stopped; of one whose process is gone `lost` tells."""
        if error or result is None:
            return
        number, params = self._running.pop(trial_id)
        known = result.get(TRIED)
        self._trials.ended(Tried.model_validate_json(known) if known else stopped(number, params, result))

    def lost(self, trial_id: str, words: str) -> None:
        """Its process is gone, again and again."""
        number, params = self._running.pop(trial_id)
        memory = LOW_MEMORY in words
        told: dict[str, Any] = {"because": "memory" if memory else "lost", "reason": _last(words)}
        self._trials.ended(Tried(number=number, state="failed", params=params, **told))

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what a search knows is kept by the trainer."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""


class Told(Callback):
    """Passes on what Tune tells of its trials."""

    def __init__(self, proposals: Proposals) -> None:
        self._proposals = proposals

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """An actor was given to it."""
        self._proposals.began(trial.trial_id)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
        """It failed outside its own fit."""
        self._proposals.lost(trial.trial_id, str(trial.get_error()))


def _last(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return (lines[-1] if lines else "its process is gone")[:300]
