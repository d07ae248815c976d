"""The composition root of the monitor."""

from pathlib import Path

from headrace.chassis import Service
from headrace.contracts import ModelDeclared, TrainingCompleted, TruthReported
from headrace.monitor import api
from headrace.monitor.forgetting import forget
from headrace.monitor.handlers import (
    on_model_declared,
    on_predictions,
    on_training_completed,
    on_truth_reported,
)
from headrace.monitor.references import References
from headrace.monitor.settings import MonitorSettings
from headrace.monitor.watch import Watch
from headrace.objects import object_store


def build(settings: MonitorSettings) -> Service:
    """Wire the monitor: what it hears, what it watches, what it shows."""
    watch = Watch(settings, References(object_store(settings.objects)))
    return Service(
        name="monitor",
        settings=settings,
        subscriptions={
            ModelDeclared: on_model_declared,
            TrainingCompleted: on_training_completed,
            TruthReported: on_truth_reported,
        },
        taps={"PREDICTIONS": on_predictions},
        routes=[api.router],
        background=[*watch.loops(), forget(settings)],
        migrations=Path(__file__).parent / "migrations",
    )
