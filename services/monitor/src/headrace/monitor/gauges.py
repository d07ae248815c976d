"""Prometheus figures of the newest window of each model; labels are bounded by the models and their columns."""

from prometheus_client import Gauge

from headrace.monitor.domain import Figures

DRIFT = Gauge("headrace_drift_score", "Drift of a column in the newest window.", ["model_name", "column"])
SHARE = Gauge("headrace_drift_share", "Share of the columns that drifted, 0 to 1.", ["model_name"])
QUALITY = Gauge("headrace_quality", "A metric in the newest window.", ["model_name", "model_version", "metric"])
LATE = Gauge("headrace_late", "Rows and truths that came after their window was judged.", ["model_name", "kind"])


def show(figures: Figures) -> None:
    """Show a window's figures."""
    for each in figures.drift:
        DRIFT.labels(figures.model, each.column).set(each.score)
    if figures.drift_share is not None:
        SHARE.labels(figures.model).set(figures.drift_share)
    for metric, value in figures.metrics.items():
        QUALITY.labels(figures.model, str(figures.version), metric).set(value)


def show_late(model: str, predictions: int, truths: int) -> None:
    """Show how much has come too late for its window."""
    LATE.labels(model, "predictions").set(predictions)
    LATE.labels(model, "truths").set(truths)
