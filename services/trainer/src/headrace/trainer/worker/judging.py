"""Who computes the metrics of a task: this process, or functions of a user's package in one of their own.

A version carries its functions in a file of its artifact, so that it can be judged wherever and whenever that is.
"""

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headrace.code.archive import Limits, unpack
from headrace.code.errors import BadPackage
from headrace.code.scratch import scratch
from headrace.frameworks import CodeFailed, CodeLimits, OwnCode
from headrace.frameworks.code.scoring import Function, Verdicts, score
from headrace.objects import SyncObjectStore
from headrace.runtimes import BadModel, Model
from headrace.runtimes.process.environments import environment_of
from headrace.tasks import METRICS, Compared, Target, compare, measured, target_of, task_named
from headrace.trainer.worker.jobs import CodeJob
from headrace.trainer.worker.locks import requirements_of
from headrace.trainer.worker.truth import Said

FUNCTIONS = "metrics.json"
"""The file of an artifact that holds the package with its metrics' functions."""
TIMEOUT_S = 300.0  # of all functions together, which draw for 30 s of them
_MEMORY, _DISK = 4 << 30, 256 << 20  # bytes
_ANY = Limits(files=1 << 20, size=1 << 40)  # it was judged when it was pushed


@dataclass(frozen=True)
class Asked:
    """How two models are compared."""

    confidence: float
    resamples: int
    seed: int


class Judge(ABC):
    """Computes metrics."""

    @abstractmethod
    def measured(self, names: Sequence[str], truth: np.ndarray, said: Said) -> dict[str, float]:
        """The metrics of answers; those that have no value are left out."""

    @abstractmethod
    def compared(
        self, names: Sequence[str], truth: np.ndarray, ours: Said, theirs: Said, asked: Asked
    ) -> list[Compared]:
        """Two models on the same rows; `theirs` in the terms of ours."""


class _Known(Judge):
    """Metrics of `headrace.tasks`."""

    def measured(self, names: Sequence[str], truth: np.ndarray, said: Said) -> dict[str, float]:
        return measured([name for name in names if name in METRICS], truth, said.score)

    def compared(
        self, names: Sequence[str], truth: np.ndarray, ours: Said, theirs: Said, asked: Asked
    ) -> list[Compared]:
        known = [name for name in names if name in METRICS]
        return [compare(name, truth, ours.score, theirs.score, **vars(asked)) for name in known]


class _Functions(Judge):
    """Functions of a package; the truth that they are given are the values of the target."""

    def __init__(self, told: Mapping[str, Any], target: Target, column: str) -> None:
        self._told, self._column = told, column
        listed = target.options.get("metrics", ())
        self._functions = [Function(each["name"], each["entry"], each["resampled"]) for each in listed]
        self._greater = {
            each.name: each.greater_is_better for each in task_named(target.task).metrics_in(target.options)
        }

    def measured(self, names: Sequence[str], truth: np.ndarray, said: Said) -> dict[str, float]:
        return dict(self._scored(names, said, [said]).values[0])

    def compared(
        self, names: Sequence[str], truth: np.ndarray, ours: Said, theirs: Said, asked: Asked
    ) -> list[Compared]:
        found = self._scored(names, ours, [ours, theirs], draws=asked.resamples, seed=asked.seed)
        return [self._met(name, found, asked.confidence) for name in found.values[0]]

    def _met(self, name: str, found: Verdicts, confidence: float) -> Compared:
        """The paired percentile bootstrap, as `headrace.tasks.compare`; without draws there is no interval."""
        sign = 1 if self._greater[name] else -1
        a, b = (each[name] for each in found.values)
        difference = sign * (a - b)
        drawn = found.drawn.get(name)
        if drawn is None:
            return Compared(name, a, b, difference, difference, difference, confidence, 0)
        tail = (1 - confidence) / 2
        low, high = np.quantile(sign * (drawn[:, 0] - drawn[:, 1]), [tail, 1 - tail])
        return Compared(name, a, b, difference, float(low), float(high), confidence, len(drawn))

    def _scored(self, names: Sequence[str], rows: Said, models: Sequence[Said], **drawing: int) -> Verdicts:
        wanted = [each for each in self._functions if each.name in names]
        truth = np.asarray(rows.rows[self._column].to_numpy())
        answers = [{name: np.asarray(values) for name, values in each.outputs.items()} for each in models]
        if not wanted:
            return Verdicts([{} for _ in models], {})
        with scratch("headrace-judge-") as folder:
            folder.chmod(0o711)  # the program runs as another user where that can be
            return score(_code(self._told, folder), wanted, truth, answers, **drawing)


def judge_of(model: Model, folder: Path, column: str) -> Judge:
    """Who judges a model, by its directory; `column` holds the truth. Raises BadModel where its functions are gone."""
    target = target_of(model.signature)
    if target.judged_by is None:
        return _Known()
    try:
        told = json.loads((folder / FUNCTIONS).read_text())
    except (OSError, ValueError) as error:
        raise BadModel(f"the functions that judge it cannot be read: {error}") from error
    return _Functions(told, target, column)


def add_functions(code: CodeJob | None, store: SyncObjectStore, folder: Path) -> None:
    """Put the package of a model's metrics into its directory."""
    if code is None:
        raise CodeFailed("code", "nobody says which package has the functions that judge; name it in task_options")
    told = {"package": code.package, "version": code.version, "environment": code.environment}
    archive = base64.b64encode(store.get(code.object)).decode()
    (folder / FUNCTIONS).write_text(json.dumps({**told, "archive": archive}))


def _code(told: Mapping[str, Any], folder: Path) -> OwnCode:
    """The package, and the limits of what judges: it needs no network."""
    archive = folder / "package.tar"
    archive.write_bytes(base64.b64decode(told["archive"]))
    try:
        unpack(archive, folder / "package", _ANY)
    except BadPackage as error:
        raise CodeFailed("code", f"package {told['package']}@{told['version']} is damaged: {error}") from error
    limits = CodeLimits(_MEMORY, _DISK, seconds=TIMEOUT_S, processes=64, network=False)
    return OwnCode(
        run="judge",
        package=folder / "package",
        scratch=folder,
        limits=limits,
        hear=_nothing,
        log=_nothing,
        checkpoint=_nothing,
        warn=_nothing,
        python=_python(told, folder),
    )


def _python(told: Mapping[str, Any], folder: Path) -> Path | None:
    if told.get("environment") is None:
        return None
    lock = folder / "package" / told["environment"]
    if not lock.is_file():
        raise CodeFailed("environment", f"package {told['package']}@{told['version']} has no {told['environment']}")
    try:
        return environment_of(requirements_of(lock)) / "bin" / "python"
    except BadModel as error:
        raise CodeFailed("environment", str(error)) from error


def _nothing(*_: Any) -> None:
    """Of what judges nothing but its figures is kept, and the end of what it prints."""
