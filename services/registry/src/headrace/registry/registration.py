"""How a version comes to be: what is said of it when it is registered, whatever its origin, and that it must be judged.

Whoever hears `version.registered` needs nothing else to judge, serve, watch or trace the version.
"""

from headrace.bus import UnitOfWork
from headrace.contracts import DatasetRef, ImportCompleted, Lineage, TrainingCompleted, VersionRegistered
from headrace.registry.domain import IMPORTED, TRAINED, State, finite
from headrace.registry.governance import evaluate
from headrace.registry.tables import ModelRow, VersionRow


async def register(work: UnitOfWork, model: ModelRow, facts: VersionRegistered) -> VersionRow:
    """Keep a version, say everything that is known of it, and ask for its evaluation."""
    model.last_version = facts.version
    version = VersionRow(
        model=facts.model,
        version=facts.version,
        run=maker_of(facts.lineage),
        digest=facts.digest,
        state=State.EVALUATING,
        registered=facts.model_dump(mode="json", exclude_none=True),
        metrics=finite(facts.metrics),
        author=facts.registered_by,
        evaluation="",
        created=work.now,
    )
    work.session.add_all([model, version])
    work.emit(facts)
    await evaluate(work, model, version)
    return version


def maker_of(lineage: Lineage) -> str | None:
    """The run or the import that made a version: each makes one."""
    return lineage.imported.import_id if lineage.imported else lineage.run


def of_import(event: ImportCompleted, number: int) -> VersionRegistered:
    """What an import that was completed says of the version that it brought."""
    shared = VersionRegistered.model_fields.keys() & ImportCompleted.model_fields.keys()
    return VersionRegistered.model_validate(
        {
            **{name: getattr(event, name) for name in shared},
            "version": number,
            "origin": IMPORTED,
            "digest": event.artifact.digest,
            "task": event.signature.task,
            "lineage": _lineage(event, event.learned_from),
            "registered_by": event.requested_by,
        }
    )


def of_run(event: TrainingCompleted, number: int) -> VersionRegistered:
    """What a run that was completed here says of the version that it made."""
    return VersionRegistered(
        model=event.model,
        version=number,
        origin=TRAINED,
        digest=event.artifact.digest,
        artifact=event.artifact,
        signature=event.signature,
        task=event.signature.task,
        features=event.features,
        target=event.target,
        dataset=event.dataset,
        holdout=event.holdout,
        metrics=event.metrics,
        reference=event.reference,
        lineage=_lineage(event, event.dataset),
        declared_revision=event.declared_revision,
        registered_by=event.requested_by,
        warnings=event.warnings,
    )


def _lineage(event: TrainingCompleted | ImportCompleted, learned_from: DatasetRef | None) -> Lineage:
    shared = (Lineage.model_fields.keys() & type(event).model_fields.keys()) - {"dataset"}
    return Lineage.model_validate({**{name: getattr(event, name) for name in shared}, "dataset": learned_from})
