"""The composition root of the registry."""

from collections.abc import Mapping
from pathlib import Path

from headrace.chassis import Runtime, Service, every
from headrace.contracts import (
    DatasetIngested,
    DecisionGiven,
    DeclarationRequested,
    DriftDetected,
    EvaluationCompleted,
    EvaluationFailed,
    FairnessBreached,
    PerformanceDegraded,
    RolloutAdvanced,
    RolloutCompleted,
    RolloutRolledBack,
    RolloutStarted,
    TrainingCompleted,
)
from headrace.registry import api, change_api, handlers
from headrace.registry.settings import RegistrySettings
from headrace.registry.tables import Registry


def build(settings: RegistrySettings) -> Service:
    """Wire the registry: what it hears, what it watches, what it shows."""
    return Service(
        name="registry",
        settings=settings,
        subscriptions={
            DeclarationRequested: handlers.on_model_requested,
            DecisionGiven: handlers.on_approval_given,
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
        routes=[api.router, change_api.router],
        background=[
            every(settings.registry_expiry_every, lapsed, expire),
            every(settings.registry_expiry_every, lapsed_changes, expire_change),
            every(settings.registry_expiry_every, reviews_due, remind),
        ],
        migrations=Path(__file__).parent / "migrations",
    )


async def lapsed(runtime: Runtime) -> Mapping[str, tuple[str, int]]:
    """The versions whose request for approval is over."""
    async with runtime.session() as session:
        rows = await Registry(session).lapsed(runtime.clock())
    return {f"{model}/{version}": (model, version) for model, version in rows}


async def expire(runtime: Runtime, version: tuple[str, int]) -> None:
    """End a request for approval that nobody decided in time."""
    async with runtime.work("service:registry") as work:
        await handlers.expire(work, *version)


async def lapsed_changes(runtime: Runtime) -> Mapping[str, tuple[str, str]]:
    """The changes that nobody decided on in time."""
    async with runtime.session() as session:
        rows = await Registry(session).lapsed_changes(runtime.clock())
    return {f"{model}/{change}": (model, change) for model, change in rows}


async def expire_change(runtime: Runtime, change: tuple[str, str]) -> None:
    """End a change that nobody decided on in time."""
    async with runtime.work("service:registry") as work:
        await handlers.expire_change(work, *change)


async def reviews_due(runtime: Runtime) -> Mapping[str, str]:
    """Models whose risk must be looked at again, and of which nobody was told yet."""
    async with runtime.session() as session:
        due = await Registry(session).reviews_due(runtime.clock())
    return {f"{model}/{since.isoformat()}": model for model, since in due}


async def remind(runtime: Runtime, model: str) -> None:
    """Tell people that a review is due."""
    async with runtime.work("service:registry") as work:
        await handlers.remind(work, model)
