"""Runs side by side: what each was made of and what became of it, and where they differ. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.trainer.domain import Run

_SAME_IN_JOB = ("framework", "estimator", "task", "target", "seed", "by", "fraction", "memory_mb")
_SAME_IN_OUTCOME = ("train_rows", "unlabelled_rows", "code_version", "python")
_OF_RUN = ("state", "experiment", "declared_revision", "requested_by", "owner", "cpus", "gpus")
_OF_DATA = ("dataset", "dataset_version")


@dataclass(frozen=True)
class Compared:
    """One thing about some runs, with its value in each of them; None where a run does not have it."""

    part: str
    """`run`, `data`, `training`, `parameters`, `features`, `metrics`, `outcome`, `packages` or `usage`."""
    name: str
    values: Sequence[Any]

    @property
    def differs(self) -> bool:
        """Whether the runs differ in it."""
        return any(value != self.values[0] for value in self.values[1:])


def compared(runs: Sequence[Run]) -> list[Compared]:
    """Everything that is known of runs, the same thing of all of them in one line, in the order of the parts."""
    told = [dict(_told(run)) for run in runs]
    keys = dict.fromkeys(key for each in told for key in each)
    order = {part: at for at, part in enumerate(dict.fromkeys(part for part, _ in keys))}
    return [
        Compared(part, name, [each.get((part, name)) for each in told])
        for part, name in sorted(keys, key=lambda key: order[key[0]])
    ]


def _told(run: Run) -> Iterator[tuple[tuple[str, str], Any]]:
    job, outcome = run.job or {}, run.outcome or {}
    for part, names in (("run", _OF_RUN), ("data", _OF_DATA)):
        for name in names:
            yield (part, name), getattr(run, name)
    yield ("data", "digest"), (job.get("data") or {}).get("digest")
    for name in _SAME_IN_JOB:
        yield ("training", name), job.get(name)
    yield from _each("training", "code", job.get("code") or {})
    yield from _each("parameters", "", job.get("params") or run.params)
    for column in job.get("features") or ():
        yield ("features", column["name"]), column["type"]
    yield from _each("metrics", "", outcome.get("metrics") or {})
    for name in _SAME_IN_OUTCOME:
        yield ("outcome", name), outcome.get(name)
    yield ("outcome", "reason"), outcome.get("reason")
    yield ("outcome", "digest"), (outcome.get("artifact") or {}).get("digest")
    yield from _each("packages", "", outcome.get("packages") or {})
    yield from _each("usage", "", run.usage or {})


def _each(part: str, prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Any]]:
    for name, value in values.items():
        yield (part, f"{prefix}.{name}" if prefix else name), value
