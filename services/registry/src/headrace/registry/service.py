"""The composition root of the registry."""

from pathlib import Path

from headrace.chassis import Service, every
from headrace.contracts import (
    CodePushed,
    DatasetIngested,
    DecisionGiven,
    DeclarationRequested,
    DriftDetected,
    EvaluationCompleted,
    EvaluationFailed,
    FairnessBreached,
    ImportCompleted,
    PerformanceDegraded,
    RolloutAdvanced,
    RolloutCompleted,
    RolloutRolledBack,
    RolloutStarted,
    TrainingCompleted,
)
from headrace.registry import api, change_api, handlers, timers
from headrace.registry.settings import RegistrySettings


def build(settings: RegistrySettings) -> Service:
    """Wire the registry: what it hears, what it watches, what it shows."""
    return Service(
        name="registry",
        settings=settings,
        subscriptions={
            DeclarationRequested: handlers.on_model_requested,
            DecisionGiven: handlers.on_approval_given,
            DatasetIngested: handlers.on_dataset_ingested,
            CodePushed: handlers.on_code_pushed,
            TrainingCompleted: handlers.on_training_completed,
            ImportCompleted: handlers.on_import_completed,
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
            every(settings.registry_expiry_every, timers.lapsed, timers.expire),
            every(settings.registry_expiry_every, timers.lapsed_changes, timers.expire_change),
            every(settings.registry_expiry_every, timers.reviews_due, timers.remind),
        ],
        migrations=Path(__file__).parent / "migrations",
    )
