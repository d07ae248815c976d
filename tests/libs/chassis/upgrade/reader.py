"""A trainer that keeps a note of each evaluation and each training that is requested, whatever release it is of."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from headrace.bus import UnitOfWork
from headrace.chassis import Service, ServiceSettings, run
from headrace.contracts import EvaluationRequested, TrainingRequested

_place = importlib.util.spec_from_file_location("program", Path(__file__).parents[1] / "program.py")
assert _place is not None
assert _place.loader is not None
program: Any = importlib.util.module_from_spec(_place)
sys.modules["program"] = program
_place.loader.exec_module(program)


async def on_evaluation_requested(event: EvaluationRequested, work: UnitOfWork) -> None:
    """The next release knows the confidence in percent alone."""
    percent = getattr(event, "confidence_percent", None) or round(100 * event.confidence)
    await program.keep(work, f"evaluation/{event.model}/{event.seed}/{percent}")


async def on_training_requested(event: TrainingRequested, work: UnitOfWork) -> None:
    """An event that has one version."""
    await program.keep(work, f"training/{event.model}/{event.seed}")


def build(settings: ServiceSettings) -> Service:
    """Wire it."""
    return Service(
        name="trainer",
        settings=settings,
        subscriptions={EvaluationRequested: on_evaluation_requested, TrainingRequested: on_training_requested},
        routes=[program.router],
        migrations=program.MIGRATIONS,
    )


def start() -> None:
    """Be it, in a process of `headrace.testkit.preloaded`."""
    run(build(ServiceSettings()))
