"""The composition root: what the trainer hears, what it needs, what it shows."""

from pathlib import Path

from headrace.chassis import Service
from headrace.contracts import (
    CancelRequested,
    DatasetIngested,
    EvaluationRequested,
    ModelDeclared,
    TrainingRequested,
)
from headrace.trainer import api
from headrace.trainer.compute import RayCompute
from headrace.trainer.dispatch import Dispatcher
from headrace.trainer.handlers import (
    on_cancel_requested,
    on_dataset_ingested,
    on_evaluation_requested,
    on_model_declared,
    on_training_requested,
)
from headrace.trainer.settings import TrainerSettings


def build(settings: TrainerSettings) -> Service:
    """Wire the trainer."""
    compute = RayCompute(settings.ray, settings.objects_for_workers)
    dispatcher = Dispatcher(compute, settings)
    return Service(
        name="trainer",
        settings=settings,
        subscriptions={
            ModelDeclared: dispatcher.waking(on_model_declared),
            DatasetIngested: dispatcher.waking(on_dataset_ingested),
            TrainingRequested: dispatcher.waking(on_training_requested),
            CancelRequested: dispatcher.waking(on_cancel_requested),
            EvaluationRequested: dispatcher.waking(on_evaluation_requested),
        },
        routes=[api.routes(dispatcher)],
        background=[dispatcher.loop(), compute.loop()],
        resources=[compute],
        migrations=Path(__file__).parent / "migrations",
    )
