"""What each owner may have at work at once, and which runs that keeps waiting. Pure, but for the file of quotas.

The owner of a run is the team that its declaration names; runs without one count together.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headrace.trainer.resources import Size
from headrace.trainer.scheduling import Queued

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_NOBODY = "runs without an owner"


class Quota(BaseModel):
    """What one owner may have at work at once; what it leaves out has no limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: Amount | None = None
    gpus: Amount | None = None
    runs: Annotated[int, Field(ge=0)] | None = None

    def over(self, taken: "Taken") -> list[str]:
        """Which of its limits are passed, as people write them."""
        limits = {"cpus": self.cpus, "gpus": self.gpus, "runs": self.runs}
        amounts = taken.amounts
        return [f"{name} {most:g}" for name, most in limits.items() if most is not None and amounts[name] > most]


class Taken(BaseModel):
    """What an owner has at work."""

    model_config = ConfigDict(frozen=True)

    cpus: float = 0
    gpus: float = 0
    runs: int = 0

    @property
    def amounts(self) -> Mapping[str, float]:
        """By name."""
        return {"cpus": self.cpus, "gpus": self.gpus, "runs": self.runs}

    def plus(self, size: Size) -> "Taken":
        """With one run more."""
        return Taken(cpus=self.cpus + size.cpus, gpus=self.gpus + size.gpus, runs=self.runs + 1)

    def __str__(self) -> str:
        """As people write it."""
        return ", ".join(f"{name} {amount:g}" for name, amount in self.amounts.items())


class Quotas(BaseModel):
    """The quota of each owner; what an owner's own leaves out is that of `default`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: Quota = Quota()
    owners: Mapping[str, Quota] = {}

    def of(self, owner: str | None) -> Quota:
        """That of an owner; None has the default."""
        own = self.owners.get(owner or "", Quota())
        return self.default.model_copy(update=own.model_dump(exclude_none=True))

    def exceeded(self, owner: str | None, size: Size) -> str | None:
        """Why a run of this size can never start within its owner's quota, and what to do; None where it can."""
        if over := self.of(owner).over(Taken().plus(size)):
            limits = ", ".join(over)
            return (
                f"it asks for {size}, and {_named(owner)} may have no more than {limits} at work (quota). Ask for less "
                "in training.resources, or have the quota raised"
            )
        return None


class BadQuotas(ValueError):
    """The file of quotas cannot be used; the message names it and says what would be right."""


def read_quotas(path: Path | None) -> Quotas:
    """The quotas of a YAML file; no limits where none is named. Raises BadQuotas."""
    if path is None:
        return Quotas()
    try:
        return Quotas.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise BadQuotas(f"quotas {path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        wrong = "; ".join(_told(error)) if isinstance(error, ValidationError) else str(error)
        raise BadQuotas(f"quotas {path}: {wrong}; see QUOTAS_FILE in the README of the trainer") from error


class Ledger:
    """What each owner has at work, as runs are added one after the other."""

    def __init__(self, quotas: Quotas, running: Iterable[tuple[str | None, Size]]) -> None:
        self._quotas = quotas
        self._taken: defaultdict[str | None, Taken] = defaultdict(Taken)
        for owner, size in running:
            self._taken[owner] = self._taken[owner].plus(size)

    def may(self, run: Queued) -> bool:
        """Whether a run fits into what its owner may have beside what is there."""
        return not self._over(run)

    def take(self, run: Queued) -> bool:
        """Add a run, if it fits."""
        fits = self.may(run)
        if fits:
            self._taken[run.owner] = self._taken[run.owner].plus(run.size)
        return fits

    def why_not(self, run: Queued) -> str | None:
        """Why a run waits for its owner's quota; None where it fits."""
        if not (over := self._over(run)):
            return None
        if never := self._quotas.exceeded(run.owner, run.size):
            return never
        has = f"{_named(run.owner)} has {self._taken[run.owner]} at work or before it"
        return f"{has}, and may have {', '.join(over)} (quota); it starts when enough of that has ended"

    def _over(self, run: Queued) -> list[str]:
        return self._quotas.of(run.owner).over(self._taken[run.owner].plus(run.size))


def kept_back(quotas: Quotas, running: Iterable[tuple[str | None, Size]], queue: Sequence[Queued]) -> dict[str, str]:
    """Which queued runs wait for a quota, and why: those that do not fit beside what runs and what goes before them."""
    ledger = Ledger(quotas, running)
    told = {}
    for run in sorted(queue, key=lambda each: (-each.priority, each.asked_at, each.run)):
        if reason := ledger.why_not(run):
            told[run.run] = reason
        else:
            ledger.take(run)
    return told


def _named(owner: str | None) -> str:
    return f"owner {owner}" if owner else _NOBODY


def _told(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors()]
