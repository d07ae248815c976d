"""Every metric that declarations may name, once: for the trainer, the gates and the monitor alike."""

from collections.abc import Mapping

from headrace.tasks.metrics.base import Metric
from headrace.tasks.metrics.grades import OF_RANKS
from headrace.tasks.metrics.labels import OF_LABELS
from headrace.tasks.metrics.numbers import OF_NUMBERS
from headrace.tasks.metrics.probabilities import OF_PROBABILITIES
from headrace.tasks.metrics.quantiles import OF_QUANTILES
from headrace.tasks.metrics.ranking import RANKING

METRICS: Mapping[str, Metric] = {
    metric.name: metric for metric in (*RANKING, *OF_PROBABILITIES, *OF_LABELS, *OF_NUMBERS, *OF_QUANTILES, *OF_RANKS)
}
"""By the name in a declaration; a metric is the metric of every task whose score it can judge."""
