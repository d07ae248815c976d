"""The composition root of the monitor."""

from functools import partial
from pathlib import Path
from typing import Any

from headrace.chassis import Dependency, Service, every
from headrace.contracts import AlertRaised, ModelDeclared, TruthReported, VersionRegistered
from headrace.monitor import api, timers
from headrace.monitor.deliveries import DELIVERED_AT_ONCE, LOOP, Deliveries, retrying
from headrace.monitor.handlers import (
    on_alert_raised,
    on_model_declared,
    on_predictions,
    on_truth_reported,
    on_version_registered,
)
from headrace.monitor.references import References
from headrace.monitor.settings import MonitorSettings
from headrace.monitor.watch import AT_ONCE, LONGEST, Watch
from headrace.objects import StoreAway, object_store


def build(settings: MonitorSettings) -> Service:
    """Wire the monitor: what it hears, what it watches, what it shows."""
    store = object_store(settings.objects)
    watch, silence = Watch(settings, References(store)), timers.Silence()
    windows: dict[str, Any] = {"give_up": watch.give_up, "at_once": AT_ONCE, "outages": (StoreAway,)}
    deliveries = Deliveries(settings.means())
    forget = partial(timers.forget, settings=settings)
    return Service(
        name="monitor",
        settings=settings,
        subscriptions={
            ModelDeclared: on_model_declared,
            AlertRaised: on_alert_raised,
            VersionRegistered: on_version_registered,
            TruthReported: on_truth_reported,
        },
        batch_subscriptions={"PREDICTIONS": partial(on_predictions, ahead=settings.monitor_ahead)},
        routes=[api.router],
        background=[
            every(settings.monitor_look_every, watch.due, watch.judge, name="windows", longest=LONGEST, **windows),
            every(settings.monitor_look_every, silence.due, silence.tell, name="silence"),
            every(settings.monitor_look_every, timers.schedules_due, timers.ask_by_schedule, name="schedules"),
            every(
                settings.monitor_look_every,
                deliveries.due,
                deliveries.deliver,
                name=LOOP,
                give_up=deliveries.give_up,
                at_once=DELIVERED_AT_ONCE,
                retry_policy=retrying(settings),
            ),
            every(timers.EVERY, timers.judged_models, forget, name="forget", for_ever=True, wait_first=True),
        ],
        dependencies=[Dependency("objects", partial(store.probe, "datasets"), (StoreAway,), vital=False)],
        migrations=Path(__file__).parent / "migrations",
    )
