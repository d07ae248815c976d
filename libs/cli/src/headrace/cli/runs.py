"""Commands about training runs: list, show, checkpoints, cancel, and what waits."""

from typing import Annotated

import typer

from headrace.cli.models import ran, why
from headrace.cli.session import Json, Limit, answer, listed, say, session
from headrace.cli.tables import record, table
from headrace.client.sdk import Document

Id = Annotated[str, typer.Argument(help="Id of the run.")]

runs = typer.Typer(no_args_is_help=True, help="Training runs: what runs, what waits for what, why one failed.")


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(runs, name="runs")


@runs.command("list")
def list_(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only of this model.")] = None,
    state: Annotated[str | None, typer.Option(help="Only in this state: queued, running, failed, ...")] = None,
    experiment: Annotated[str | None, typer.Option(help="Only of this experiment.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List runs, newest first, with why one failed or what it waits for."""
    with session(ctx).client() as client:
        found = listed(client, "trainer", "/runs", limit, model=model, state=state, experiment=experiment)
    columns = ["run", "model", "state", "priority", "experiment", "dataset", "dataset_version", "asked_at", "why"]
    rows = [{**run, "why": _reason(run)} for run in found]
    answer(found, as_json, lambda: table(rows, columns, empty="no runs; `headrace train MODEL` asks for one"))


@runs.command()
def show(ctx: typer.Context, run: Id, as_json: Json = False) -> None:
    """Show a run: its state and reason, warnings, parameters, history. The log is in --json."""
    with session(ctx).client() as client:
        found = client.run(run)
    answer(found, as_json, lambda: _tell(found))


@runs.command()
def checkpoints(ctx: typer.Context, run: Id, limit: Limit = 50, as_json: Json = False) -> None:
    """List the checkpoints that a run has made, newest first; a lost run goes on from the newest that is whole."""
    with session(ctx).client() as client:
        found = listed(client, "trainer", f"/runs/{run}/checkpoints", limit)
    columns = ["name", "step", "size", "metrics", "digest", "at", "removed_at"]
    answer(found, as_json, lambda: table(found, columns, empty="no checkpoints; own code makes them"))


@runs.command()
def cancel(
    ctx: typer.Context,
    run: Id,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the run.")] = "asked for",
    as_json: Json = False,
) -> None:
    """Cancel a run that has not ended."""
    with session(ctx).client() as client:
        found = client.cancel(run, reason)
    answer(found, as_json, lambda: say(f"run {run}: {found['state']}"))


@runs.command()
def costs(
    ctx: typer.Context,
    by: Annotated[str, typer.Option(help="Summed by `model` or by `owner`, the team that the declaration names.")] = (
        "model"
    ),
    since: Annotated[str | None, typer.Option(help="Of runs that ended at this time or later, ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option(help="Of runs that ended before this time, ISO 8601.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """Show what runs took of the cluster, and what that cost where the trainer knows prices."""
    with session(ctx).client() as client:
        found = listed(client, "trainer", "/costs", limit, by=by, since=since, until=until)
    columns = ["name", "runs", "seconds", "cpu_seconds", "gpu_seconds", "queued_seconds", "cost", "currency"]
    answer(found, as_json, lambda: table(found, columns, empty="no run has ended"))


def _reason(run: Document) -> str:
    """Of a failed run the failure, of a waiting one what it waits for, else why it was asked for."""
    return why(run) or (run.get("outcome") or {}).get("reason") or str(run["reason"])


def _tell(run: Document) -> None:
    say(ran(run))
    left_out = {"log", "warnings", "features", "history", "run", "state"}
    told = {name: value for name, value in run.items() if name not in left_out and value not in (None, {}, [])}
    record({**told, "features": len(run.get("features") or [])})
    table(run.get("history") or [], ["at", "state", "detail"], empty="no history")
