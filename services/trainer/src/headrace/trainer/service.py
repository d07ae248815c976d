"""The composition root: what the trainer hears, what it needs, what it shows."""

from functools import partial
from pathlib import Path

from headrace.chassis import Dependency, Service
from headrace.contracts import (
    CancelRequested,
    DatasetIngested,
    EvaluationRequested,
    ImportRequested,
    ModelDeclared,
    PromotionRequested,
    ReproductionRequested,
    TrainingRequested,
    VersionRegistered,
)
from headrace.objects import ObjectStore, StoreAway, object_store
from headrace.trainer import api, checkpoint_api, code_api, import_api, reproduction_api
from headrace.trainer.compute import RayCompute
from headrace.trainer.dispatch import STORE, Dispatcher
from headrace.trainer.driver_process import DriverProcess, Launch
from headrace.trainer.handlers import (
    on_evaluation_requested,
    on_model_declared,
    on_promotion_requested,
    on_training_requested,
)
from headrace.trainer.import_handlers import on_cancel_requested, on_dataset_ingested, on_import_requested
from headrace.trainer.packages import Packages
from headrace.trainer.quotas import read_quotas
from headrace.trainer.reproduction_handlers import on_reproduction_requested, on_version_registered
from headrace.trainer.run_logs import RunLogs
from headrace.trainer.settings import TrainerSettings
from headrace.trainer.timers import Retention
from headrace.trainer.usage import read_prices


def build(settings: TrainerSettings, launch: Launch = DriverProcess.launch) -> Service:
    """Wire the trainer; `launch` is how it comes to a Ray driver."""
    store = object_store(settings.objects)
    compute = RayCompute(settings.ray, settings.objects_for_workers, launch)
    dispatcher = Dispatcher(compute, settings, read_prices(settings.prices_file), read_quotas(settings.quotas_file))
    return Service(
        name="trainer",
        settings=settings,
        subscriptions={
            ModelDeclared: dispatcher.waking(on_model_declared),
            DatasetIngested: dispatcher.waking(on_dataset_ingested),
            TrainingRequested: dispatcher.waking(on_training_requested),
            CancelRequested: dispatcher.waking(on_cancel_requested),
            PromotionRequested: on_promotion_requested,
            VersionRegistered: on_version_registered,
            ReproductionRequested: dispatcher.waking(partial(on_reproduction_requested, store=store)),
            EvaluationRequested: dispatcher.waking(on_evaluation_requested),
            ImportRequested: dispatcher.waking(partial(on_import_requested, store=store)),
        },
        routes=[api.router, checkpoint_api.router, code_api.router, import_api.router, reproduction_api.router],
        provides={
            Dispatcher: dispatcher,
            Packages: Packages(store, settings.models_bucket, settings.code_limits),
            RunLogs: RunLogs(store, settings.models_bucket),
            ObjectStore: store,
            TrainerSettings: settings,
        },
        background=[dispatcher.loop(), compute.loop(), Retention(store, settings.look_every).loop()],
        resources=[compute],
        dependencies=[Dependency(STORE, partial(store.probe, "datasets"), (StoreAway,))],
        migrations=Path(__file__).parent / "migrations",
    )
