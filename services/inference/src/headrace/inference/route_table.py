"""What a replica answers with: loaded versions, and the table that says which of them answers whom."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import finalize
from zlib import crc32

import numpy as np

from headrace.contracts import Signature
from headrace.inference.interface import Interface, Rows
from headrace.inference.pools import Pool
from headrace.inference.stats import Stats
from headrace.inference.tensors import BadInput
from headrace.runtimes import BadValue, Model, OutOfProcess

_WARM_RUNS = 5  # the first run of a graph allocates; from the third on times are steady


class Loaded:
    """One version in memory. Safe for many threads; it lives as long as anybody still answers with it."""

    def __init__(
        self, version: int, digest: str, model: Model, signature: Signature, *, ignore_unknown: bool = False
    ) -> None:
        self.version = version
        self.digest = digest
        self.platform = model.platform
        self.interface = Interface(signature, model.matrix, ignore_unknown=ignore_unknown)
        self._model = model
        self._answer, self._answer_matrix = model.answer, model.answer_matrix
        self._apart = model if isinstance(model, OutOfProcess) else None
        self.pool = Pool(self._apart.slots) if self._apart else None
        """Where it is asked, if its answers come from processes; None where they take microseconds."""
        self.close = finalize(self, _close, model, self.pool)  # when the last one who answers with it is done

    @property
    def memory_bytes(self) -> int:
        """About how much memory it holds now."""
        return self._model.memory_bytes

    @property
    def problem(self) -> str | None:
        """Why it answers nobody now, though it is loaded."""
        return self._apart.problem if self._apart else None

    def answer(self, rows: Rows) -> Mapping[str, np.ndarray]:
        """The outputs for checked rows; raises BadInput where a number is too large for the model."""
        if rows.matrix is not None:
            return self._answer_matrix(rows.matrix)
        try:
            return self._answer(rows.columns, strict=True)
        except BadValue as error:
            raise BadInput(str(error)) from error

    def warm_up(self) -> float:
        """Answer some rows that mean nothing; returns the seconds that one of them takes.

        What answers in processes has shown at its start that it does, and need not take rows that mean nothing.
        """
        if self.pool is not None:
            return 0.0
        rows = self.interface.example()
        for _ in range(_WARM_RUNS):
            self.answer(rows)
        started = time.perf_counter()
        self.answer(rows)
        return time.perf_counter() - started


def _close(model: Model, pool: Pool | None) -> None:
    if pool is not None:
        pool.close()
    model.close()


@dataclass(frozen=True, slots=True)
class RoutedVersion:
    """A loaded version in its role."""

    loaded: Loaded
    role: str
    percent: int
    head: Mapping[str, Any]
    """What an answer begins with."""
    stats: Stats


@dataclass(frozen=True)
class RouteTable:
    """Who answers for one model: immutable, replaced as a whole."""

    model: str
    revision: int
    routed_versions: Sequence[RoutedVersion]
    only: RoutedVersion | None = None
    """The one that answers everything, where there is no choice."""
    shadows: Sequence[RoutedVersion] = ()

    @classmethod
    def of(cls, model: str, revision: int, routed_versions: Sequence[RoutedVersion]) -> "RouteTable":
        """A table whose answering routed versions are in the order champion, canary."""
        answering = [routed for routed in routed_versions if routed.role != "shadow" and routed.percent]
        return cls(
            model,
            revision,
            routed_versions,
            only=answering[0] if len(answering) == 1 else None,
            shadows=[routed for routed in routed_versions if routed.role == "shadow"],
        )

    def choose(self, key: str) -> RoutedVersion:
        """Who answers a key: the same one each time, and a growing canary keeps the keys that it has."""
        if self.only is not None:
            return self.only
        at = crc32(key.encode()) % 100
        canary = next(routed for routed in self.routed_versions if routed.role == "canary")
        return (
            canary
            if at < canary.percent
            else next(routed for routed in self.routed_versions if routed.role == "champion")
        )

    def version(self, version: int) -> RoutedVersion | None:
        """The routed version of a version that the caller names."""
        return next((routed for routed in self.routed_versions if routed.loaded.version == version), None)

    def any(self) -> RoutedVersion:
        """The champion, or whoever stands in for it."""
        return self.routed_versions[0]

    @property
    def pool(self) -> Pool | None:
        """Where to answer if any version that answers callers does so in processes; one may stand in for another."""
        answering = (routed.loaded for routed in self.routed_versions if routed.role != "shadow")
        return next((loaded.pool for loaded in answering if loaded.pool is not None), None)

    @property
    def problem(self) -> str | None:
        """Why one of its versions answers nobody now, though it is loaded."""
        found = ((routed.loaded.version, routed.loaded.problem) for routed in self.routed_versions)
        return next((f"version {version}: {problem}" for version, problem in found if problem), None)

    @property
    def rolling(self) -> bool:
        """Whether a new version is on trial."""
        return any(routed.role != "champion" for routed in self.routed_versions)
