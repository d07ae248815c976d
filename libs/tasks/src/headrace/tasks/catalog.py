"""The tasks there are: one file and one line each."""

from collections.abc import Mapping

from headrace.channels import CHANNELS
from headrace.contracts import Installed, Signature
from headrace.contracts.errors import choice_problem
from headrace.detectors import DETECTORS
from headrace.strategies import STRATEGIES
from headrace.tasks.base import Target, Task
from headrace.tasks.binary import Binary
from headrace.tasks.custom import Custom
from headrace.tasks.errors import UnknownTask
from headrace.tasks.forecasting import Forecasting
from headrace.tasks.metrics import METRICS
from headrace.tasks.multiclass import Multiclass
from headrace.tasks.quantiles import Quantiles
from headrace.tasks.ranking import Ranking
from headrace.tasks.regression import Regression

TASKS: Mapping[str, Task] = {
    task.name: task for task in (Binary(), Multiclass(), Regression(), Quantiles(), Ranking(), Forecasting(), Custom())
}
"""By the name in a declaration; where none is declared the first one that takes the target is meant."""
FITTED: Mapping[str, Task] = {name: task for name, task in TASKS.items() if task.estimators != "program"}
"""Those that estimators of libraries fit, whose models answer as the task has it."""

INSTALLED = Installed(tasks=TASKS, metrics=METRICS, detectors=DETECTORS, channels=CHANNELS, strategies=STRATEGIES)
"""What declarations are judged by."""


def task_named(name: str) -> Task:
    """A task; raises UnknownTask for one that is not installed here."""
    if name not in TASKS:
        raise UnknownTask(f"task {choice_problem(name, list(TASKS))}")
    return TASKS[name]


def target_of(signature: Signature) -> Target:
    """What can be true for a model with this signature, and how its answers are read; raises UnknownTask."""
    return task_named(signature.task).of(signature)
