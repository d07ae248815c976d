"""What runs take of the cluster and what that costs. Pure, but for the file of prices, which is read once."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headrace.contracts import Usage
from headrace.trainer.worker.jobs import Used

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_HOUR = 3600.0
_GIB = 1024.0  # in MiB


class Prices(BaseModel):
    """What an hour of what a run sets aside costs, in one currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    cpu_hour: Price = 0
    gpu_hour: Price = 0
    memory_gib_hour: Price = 0
    """Of the memory that a declaration asks for in `training.resources.memory_mb`."""

    def rate(self, cpus: float, gpus: float, memory_mb: int | None) -> "Rate":
        """What a run of this size costs an hour."""
        memory = (memory_mb or 0) / _GIB * self.memory_gib_hour
        return Rate(cpus * self.cpu_hour + gpus * self.gpu_hour + memory, self.currency)


@dataclass(frozen=True)
class Rate:
    """What a run costs an hour; fixed when it starts, so that a new price changes no run that goes on."""

    an_hour: float
    currency: str


class BadPrices(ValueError):
    """The file of prices cannot be used; the message names it and says what would be right."""


def read_prices(path: Path | None) -> Prices | None:
    """The prices of a YAML file; None where none is named. Raises BadPrices."""
    if path is None:
        return None
    try:
        return Prices.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise BadPrices(f"prices {path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        wrong = "; ".join(_told(error)) if isinstance(error, ValidationError) else str(error)
        raise BadPrices(f"prices {path}: {wrong}; see PRICES_FILE in the README of the trainer") from error


def usage(
    *,
    asked_at: datetime,
    started_at: datetime | None,
    ended_at: datetime,
    attempts: int,
    cpus: float,
    gpus: float,
    used: Used | None,
    rate: Rate | None,
    paused_s: float = 0,
) -> Usage:
    """What a run took from its request to its end; one that never started took nothing but a place in the queue.

    `paused_s` of it, in seconds, it had given its place to another run.
    """
    began = started_at or ended_at
    seconds = max(0.0, (ended_at - began).total_seconds() - paused_s)
    return Usage(
        queued_seconds=max(0.0, (began - asked_at).total_seconds()) + paused_s,
        seconds=seconds,
        attempts=attempts,
        cpus=cpus,
        gpus=gpus,
        cpu_seconds=used.cpu_seconds if used else None,
        gpu_seconds=gpus * seconds,
        peak_memory_mb=used.peak_memory_mb if used else None,
        cost=rate.an_hour * seconds / _HOUR if rate else None,
        currency=rate.currency if rate else None,
    )


def _told(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}" for each in error.errors()]
