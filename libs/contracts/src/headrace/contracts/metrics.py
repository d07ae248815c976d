"""The metrics that declarations may name, and which direction is better."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MetricInfo:
    """What everybody needs to know about a metric; its value is computed by headrace.frameworks.metrics."""

    name: str
    task: Literal["classification", "regression"]
    greater_is_better: bool
    about: str
    low: float | None = 0.0
    """The smallest value that it can have; None where there is none."""
    high: float | None = 1.0
    """The largest one."""

    def improvement(self, new: float, old: float) -> float:
        """How much better `new` is than `old`, in the metric's own unit; negative where it is worse."""
        return new - old if self.greater_is_better else old - new


METRICS: Mapping[str, MetricInfo] = {
    info.name: info
    for info in (
        MetricInfo("roc_auc", "classification", True, "area under the ROC curve"),
        MetricInfo("average_precision", "classification", True, "area under precision over recall, in steps"),
        MetricInfo("brier", "classification", False, "mean squared error of the probability"),
        MetricInfo("log_loss", "classification", False, "negative mean log-likelihood, nats", high=None),
        MetricInfo("accuracy", "classification", True, "share of right labels"),
        MetricInfo("f1", "classification", True, "harmonic mean of precision and recall"),
        MetricInfo("precision", "classification", True, "share of the positives found that are positive"),
        MetricInfo("recall", "classification", True, "share of the positives that were found"),
        MetricInfo("rmse", "regression", False, "root mean squared error, in the target's unit", high=None),
        MetricInfo("mae", "regression", False, "mean absolute error, in the target's unit", high=None),
        MetricInfo("r2", "regression", True, "share of the variance explained", low=None),
    )
}
USUAL: Mapping[str, tuple[str, ...]] = {
    "classification": ("roc_auc", "average_precision", "brier"),
    "regression": ("rmse", "mae", "r2"),
}
