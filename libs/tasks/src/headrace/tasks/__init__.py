"""Tasks and metrics: what a model answers, how its truth is encoded, how it is judged, and what is watched of it."""

from headrace.tasks.base import NO_OPTIONS, Outputs, Target, Task, Trivial, Watched
from headrace.tasks.bootstrap import Compared, compare, measured, value
from headrace.tasks.catalog import FITTED, INSTALLED, TASKS, target_of, task_named
from headrace.tasks.declarations import examine, parse_declaration
from headrace.tasks.errors import BadTarget, BadTruth, UnknownTask
from headrace.tasks.metrics import METRICS
from headrace.tasks.metrics.base import Metric
from headrace.tasks.ops import NUMPY, Ops
from headrace.tasks.score import APART, Score, group_codes, whole_groups

__all__ = [
    "APART",
    "FITTED",
    "INSTALLED",
    "METRICS",
    "NO_OPTIONS",
    "NUMPY",
    "TASKS",
    "BadTarget",
    "BadTruth",
    "Compared",
    "Metric",
    "Ops",
    "Outputs",
    "Score",
    "Target",
    "Task",
    "Trivial",
    "UnknownTask",
    "Watched",
    "compare",
    "examine",
    "group_codes",
    "measured",
    "parse_declaration",
    "target_of",
    "task_named",
    "value",
    "whole_groups",
]
