"""The composition root of the registry."""

import asyncio
from functools import partial
from pathlib import Path

from headrace.chassis import Runtime, Service
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
        background=[partial(expire_approvals, settings=settings)],
        migrations=Path(__file__).parent / "migrations",
    )


async def expire_approvals(runtime: Runtime, *, settings: RegistrySettings) -> None:
    """Notice requests for approval whose time is over."""
    while True:
        async with runtime.session() as session:
            lapsed = await Registry(session).lapsed(runtime.clock())
        if lapsed:
            async with runtime.work("service:registry") as work:
                await handlers.expire(work)
        await asyncio.sleep(settings.registry_expiry_every.total_seconds())
