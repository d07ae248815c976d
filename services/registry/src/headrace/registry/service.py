"""The composition root of the registry."""

from collections.abc import Mapping
from pathlib import Path

from headrace.chassis import Runtime, Service, every
from headrace.contracts import (
    ApprovalGiven,
    DatasetIngested,
    DriftDetected,
    EvaluationCompleted,
    EvaluationFailed,
    FairnessBreached,
    ModelRequested,
    PerformanceDegraded,
    RolloutAdvanced,
    RolloutCompleted,
    RolloutRolledBack,
    RolloutStarted,
    TrainingCompleted,
)
from headrace.registry import api, handlers
from headrace.registry.settings import RegistrySettings
from headrace.registry.tables import Registry


def build(settings: RegistrySettings) -> Service:
    """Wire the registry: what it hears, what it watches, what it shows."""
    return Service(
        name="registry",
        settings=settings,
        subscriptions={
            ModelRequested: handlers.on_model_requested,
            ApprovalGiven: handlers.on_approval_given,
            DatasetIngested: handlers.on_dataset_ingested,
            TrainingCompleted: handlers.on_training_completed,
            EvaluationCompleted: handlers.on_evaluation_completed,
            EvaluationFailed: handlers.on_evaluation_failed,
            RolloutStarted: handlers.on_rollout_started,
            RolloutAdvanced: handlers.on_rollout_advanced,
            RolloutCompleted: handlers.on_rollout_completed,
            RolloutRolledBack: handlers.on_rollout_rolled_back,
            DriftDetected: handlers.on_drift_detected,
            PerformanceDegraded: handlers.on_performance_degraded,
            FairnessBreached: handlers.on_fairness_breached,
        },
        routes=[api.router],
        background=[every(settings.registry_expiry_every, lapsed, expire)],
        migrations=Path(__file__).parent / "migrations",
    )


async def lapsed(runtime: Runtime) -> Mapping[str, tuple[str, int]]:
    """The versions whose request for approval is over."""
    async with runtime.session() as session:
        rows = await Registry(session).lapsed(runtime.clock())
    return {f"{row.model}/{row.version}": (row.model, row.version) for row in rows}


async def expire(runtime: Runtime, version: tuple[str, int]) -> None:
    """End a request for approval that nobody decided in time."""
    async with runtime.work("service:registry") as work:
        await handlers.expire(work, *version)
