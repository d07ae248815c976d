"""What a declaration needs to know of a drift detector: what it fits, and its limit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from headrace.contracts.errors import choice_problem

Kind = Literal["numeric", "categorical"]
"""What a column holds, as detectors tell columns apart."""


@dataclass(frozen=True)
class DetectorInfo:
    """What everybody needs to know about a detector; headrace.detectors has them, and measures.

    `p_value` says what its score is: a p-value, which means drift below the limit, or a distance, which means drift
    at the limit and above it. One number can therefore not be the limit of detectors of both sorts.
    """

    name: str
    kinds: frozenset[Kind]
    limit: float
    p_value: bool
    about: str

    def drifted(self, score: float, limit: float) -> bool:
        """Whether a score means drift under `limit`."""
        return score < limit if self.p_value else score >= limit


def detector_problem(
    detectors: Mapping[str, DetectorInfo], method: str, *, kind: Kind | None = None, limit: float | None = None
) -> str | None:
    """Why a declared detector is no good, and what would be; None where it is good.

    `kind` is that of the columns that it is meant for, where it is known; `limit` is the declared one, if any.
    """
    info = detectors.get(method)
    if info is None:
        return f"drift detector {choice_problem(method, list(detectors))}"
    if kind is not None and kind not in info.kinds:
        fitting = ", ".join(name for name, each in detectors.items() if kind in each.kinds)
        return f"{method} does not fit {kind} columns; those that do are {fitting}"
    if limit is not None and info.p_value and not 0 < limit < 1:
        return f"the limit of {method} is a p-value between 0 and 1, not {limit:g}"
    if limit is not None and limit <= 0:
        return f"the limit of {method} is a distance above 0, not {limit:g}: every window would have drifted"
    return None
