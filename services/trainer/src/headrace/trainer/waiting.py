"""What queued runs wait for, and who gives way to whom: rows and settings brought to the pure rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from headrace.bus import UnitOfWork
from headrace.trainer.domain import State
from headrace.trainer.giving_way import Yielding, asked_to_yield, spared
from headrace.trainer.handlers import keep
from headrace.trainer.preemption import Working, can_go_on, fitting, no_longer, yielding
from headrace.trainer.quotas import Quotas, kept_back
from headrace.trainer.resources import Size, lacking
from headrace.trainer.settings import TrainerSettings
from headrace.trainer.tables import Repository, RunRow


@dataclass(frozen=True)
class Wait:
    """What a queued run waits for, as the catalogue `wait` has it, and why."""

    name: str = "capacity"
    detail: str | None = None


async def waits_to_tell(session: AsyncSession, nodes: Sequence[Size], quotas: Quotas) -> list[tuple[RunRow, Wait]]:
    """The queued runs of which it is to be said anew what they wait for."""
    rows = await Repository(session).runs_in(State.QUEUED)
    found = await waits_of(session, rows, nodes, quotas)
    return [(row, found[row.run]) for row in rows if found[row.run].name != row.waits_for]


async def waits_of(
    session: AsyncSession, rows: Sequence[RunRow], nodes: Sequence[Size], quotas: Quotas
) -> dict[str, Wait]:
    """What each of the queued runs waits for: a node that is large enough, its owner's quota, or its turn."""
    running = [(row.owner, row.size) for row in await Repository(session).runs_in(State.RUNNING)]
    told = {row.run: Wait("resources", why) for row in rows if (why := lacking(row.size, nodes))}
    others = [row.as_queued for row in rows if row.run not in told]
    told |= {run: Wait("quota", why) for run, why in kept_back(quotas, running, others).items()}
    return {row.run: told.get(row.run, Wait()) for row in rows}


def tell(row: RunRow, wait: Wait, work: UnitOfWork) -> None:
    """Say what a queued run waits for."""
    keep(work, row, row.as_run.found_room(wait.detail, wait.name))


async def to_yield(
    session: AsyncSession, starting: Sequence[str], nodes: Sequence[Size], settings: TrainerSettings, quotas: Quotas
) -> list[tuple[RunRow, RunRow | None]]:
    """The running runs that are asked to give way, each with the run that it is for; None where it may stay after all.

    `starting` are the runs that start now: they work already, as far as room goes.
    """
    queue = {row.run: row for row in await Repository(session).runs_in(State.QUEUED)}
    rows = {row.run: row for row in await Repository(session).runs_in(State.RUNNING)}
    working = [working_of(row) for row in [*rows.values(), *(queue[run] for run in starting)]]
    waiting = [row.as_queued for name, row in queue.items() if name not in starting and not lacking(row.size, nodes)]
    asked = yielding(waiting, working, fitting(settings.capacity, nodes, quotas))
    spared = no_longer(working, {each.run for each in waiting})
    return [*((rows[each.run], queue[each.to.run]) for each in asked), *((rows[name], None) for name in spared)]


def working_of(row: RunRow) -> Working:
    """A run as one that may give way."""
    same = {name: getattr(row, name) for name in ("run", "priority", "size", "owner", "started_at")}
    to = row.yields["run"] if row.yields else None
    begun = row.state == State.RUNNING and row.begun
    return Working(**same, checkpointed=begun and can_go_on(row.job, row.checkpoint), yields_to=to)


def ask_to_yield(row: RunRow, to: RunRow | None, work: UnitOfWork, settings: TrainerSettings) -> None:
    """Say that a run is to make room for another one, or that it may stay."""
    run = row.as_run
    if to is None:
        keep(work, row, spared(run))
        return
    until = work.now + settings.preemption_grace
    keep(work, row, asked_to_yield(run, Yielding(to.run, to.model, to.priority, until)))
