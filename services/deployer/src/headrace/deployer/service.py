"""The composition root of the deployer."""

from pathlib import Path

from headrace.chassis import Service
from headrace.contracts import AlertRaised, AliasMoved, ReplicaLoaded, ReplicaReported, RolloutRequested
from headrace.deployer import api
from headrace.deployer.handlers import (
    on_alert_raised,
    on_alias_moved,
    on_replica_loaded,
    on_replica_reported,
    on_rollout_requested,
)
from headrace.deployer.settings import DeployerSettings
from headrace.deployer.timers import watch_deadlines


def build(settings: DeployerSettings) -> Service:
    """Wire the deployer: what it hears, what it needs, what it shows."""
    return Service(
        name="deployer",
        settings=settings,
        subscriptions={
            AliasMoved: on_alias_moved,
            ReplicaLoaded: on_replica_loaded,
            ReplicaReported: on_replica_reported,
            AlertRaised: on_alert_raised,
            RolloutRequested: on_rollout_requested,
        },
        routes=[api.router],
        background=[watch_deadlines],
        migrations=Path(__file__).parent / "migrations",
    )
