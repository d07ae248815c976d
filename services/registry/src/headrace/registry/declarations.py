"""Declaring models: what takes effect at once, and what waits for people because it loosens their policy."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from headrace.bus import Refused, UnitOfWork
from headrace.contracts import Approval, Column, ContractError, Declaration, KnownDataset, ModelDeclared, is_name
from headrace.contracts.errors import Problem, choice_problem
from headrace.registry import changes
from headrace.registry.datasets import known_dataset, what_starts
from headrace.registry.domain import changed_paths, digest_of, may_not_change, review_due
from headrace.registry.policy import loosenings
from headrace.registry.tables import ChangeRow, ModelRow, Repository, RevisionRow
from headrace.tasks import examine

Document = dict[str, object]


@dataclass(frozen=True)
class Declared:
    """What declaring did: the model as it is now, what changed or would, and the change that waits for people."""

    row: ModelRow
    changed: list[str] = field(default_factory=list)
    loosens: list[str] = field(default_factory=list)
    waits: ChangeRow | None = None
    warnings: list[str] = field(default_factory=list)
    starts: str = ""


async def declare(work: UnitOfWork, document: Document) -> Declared:
    """Judge a declaration, and make it the model's: over HTTP and by an event alike.

    It is held against the columns of its dataset, where that is known; what may surprise is told in `warnings`.
    """
    dataset = await dataset_of(work, document)
    examined = examine(document, dataset)
    await _check_code(work, examined.declaration)
    done = await _apply(work, examined.declaration)
    starts = what_starts(examined.declaration, dataset, done.row.last_version)
    return replace(done, warnings=list(examined.warnings), starts=starts)


async def dataset_of(work: UnitOfWork, document: Document) -> KnownDataset | None:
    """What is known of the dataset that a document names, good or bad."""
    data = document.get("data")
    name = data.get("dataset") if isinstance(data, dict) else None
    row = await Repository(work.session).newest_data(name) if isinstance(name, str) and is_name(name) else None
    if row is None or not row.columns:
        return None
    return known_dataset(row.dataset, row.version, [Column.model_validate(each) for each in row.columns], row.facts)


async def _check_code(work: UnitOfWork, declared: Declaration) -> None:
    """Raise ContractError where a declaration names a package of code, or a version of one, that is not there."""
    if declared.training.code is None:
        return
    name, _, version = declared.training.code.package.partition("@")
    newest = await Repository(work.session).newest_code(name)
    if newest is None:
        known = await Repository(work.session).code_packages()
        text = choice_problem(name, known) if known else f"{name!r} is not known, nor is any other"
        _refuse_code(f"{text}; `headrace code push {name} FOLDER` makes it")
    elif version and int(version) > newest:
        _refuse_code(f"{name!r} has no version {version}; its newest is {newest}")


def _refuse_code(text: str) -> None:
    raise ContractError.of([Problem(("training", "code", "package"), text)])


async def _apply(work: UnitOfWork, declared: Declaration) -> Declared:
    """Declare a model or change it; the same declaration again changes nothing.

    A change that loosens a policy which needs approvals waits, as a whole, until that many people have approved it;
    one that only tightens takes effect at once.
    """
    repository = Repository(work.session)
    row = await repository.hold(declared.name)
    if row is None:
        return await _first(work, declared)
    full = declared.model_dump(mode="json", exclude_none=True)
    if row.digest == digest_of(full):
        return Declared(row)
    needed = row.parsed().approval.needed
    declarers = [each.by for each in await repository.revisions(row.name)]
    if why := may_not_change(work.actor, declarers, needed):
        raise Refused(why)
    changed, loosens = sorted(changed_paths(row.declaration, full)), loosenings(row.declaration, full)
    if loosens and needed > 0:
        return Declared(row, changed, loosens, await changes.propose(work, row, declared, changed, loosens))
    await revise(work, row, declared, by=work.actor, loosens=loosens)
    return Declared(row, changed, loosens)


async def _first(work: UnitOfWork, declared: Declaration) -> Declared:
    row = ModelRow(
        name=declared.name,
        revision=0,
        declaration={},
        digest="",
        declared_by="",
        declared_at=work.now,
        reviewed_at=work.now,
        review_due=work.now,
    )
    await revise(work, row, declared, by=work.actor)
    return Declared(row, sorted(row.declaration))


async def revise(
    work: UnitOfWork,
    row: ModelRow,
    declared: Declaration,
    *,
    by: str,
    loosens: Sequence[str] = (),
    approvals: Sequence[Approval] = (),
) -> None:
    """A declaration takes effect: the next revision, on which every change that waits goes on waiting."""
    full = declared.model_dump(mode="json", exclude_none=True)
    changed = sorted(changed_paths(row.declaration, full)) if row.revision else sorted(full)
    row.revision, row.declaration, row.digest = row.revision + 1, full, digest_of(full)
    row.declared_by, row.declared_at = by, work.now
    row.review_due = review_due(declared, row.reviewed_at)
    history = RevisionRow(
        name=row.name, revision=row.revision, declaration=full, digest=row.digest, changed=changed, by=by, at=work.now
    )
    work.session.add_all([row, history])
    work.emit(
        ModelDeclared(
            name=row.name,
            revision=row.revision,
            declaration=declared,
            digest=row.digest,
            changed=changed,
            by=by,
            loosens=list(loosens) or None,
            approvals=list(approvals) or None,
        )
    )
    await changes.rebase(work, row, changed)
