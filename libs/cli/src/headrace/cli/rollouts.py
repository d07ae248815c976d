"""Commands about traffic: which version answers, rollouts, and how people steer them."""

from collections.abc import Callable
from typing import Annotated

import typer

from headrace.cli.session import Json, Limit, answer, listed, say, session
from headrace.cli.tables import record, table
from headrace.client.http import path_of
from headrace.client.sdk import Document

Model = Annotated[str, typer.Argument(help="Name of the model.")]
Reason = Annotated[str | None, typer.Option(help="Why; it stands in the event that follows.")]
Version = Annotated[
    int | None,
    typer.Option("--version", help="The version that is meant: where another is on its way, nothing happens."),
]

rollouts = typer.Typer(no_args_is_help=True, help="Rollouts: how traffic moved to a version, and why it went back.")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(rollouts, name="rollouts")
    for command in (routes, rollback, pause, resume, promote):
        app.command()(command)


@rollouts.command("list")
def list_(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only of this model.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List rollouts, newest first."""
    with session(ctx).client() as client:
        found = listed(client, "deployer", "/rollouts", limit, model=model)
    columns = ["id", "model", "version", "previous", "strategy", "state", "percent", "started_at", "seen", "why"]
    rows = [{**each, "seen": seen_of(each["evidence"]), "why": each["reason"] or each["waits"]} for each in found]
    answer(found, as_json, lambda: table(rows, columns, empty="no rollouts: no version was ever approved to serve"))


def seen_of(evidence: Document) -> str:
    """What replicas saw of the version in the present step, in a few words."""
    told = [f"{evidence['requests']} requests", f"{evidence['errors']} failed"]
    told += [f"p99 {evidence['p99_ms']:.1f} ms"] if evidence.get("p99_ms") is not None else []
    if evidence.get("compared"):
        told.append(f"{evidence['agreement']:.1%} of {evidence['compared']} rows like the champion")
    told += [f"distance {evidence['distance']:.2f}"] if evidence.get("distance") is not None else []
    return ", ".join(told)


@rollouts.command()
def show(
    ctx: typer.Context, rollout: Annotated[str, typer.Argument(help="Id of the rollout.")], as_json: Json = False
) -> None:
    """Show one rollout: how far it is, what was seen on the way, what it waits for."""
    with session(ctx).client() as client:
        found: Document = client.http.json("GET", "deployer", path_of("rollouts", rollout))
    answer(found, as_json, lambda: record(found))


def routes(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only of this model.")] = None,
    as_json: Json = False,
) -> None:
    """Show which versions answer for a model, and with which share."""
    with session(ctx).client() as client:
        if model is None:
            found = listed(client, "deployer", "/routes", 10_000)
        else:
            found = [client.http.json("GET", "deployer", path_of("routes", model))]
    answer(found if model is None else found[0], as_json, lambda: _tell(found))


def rollback(
    ctx: typer.Context, model: Model, reason: Reason = None, version: Version = None, as_json: Json = False
) -> None:
    """End the running rollout, or give the traffic back to the version that served before."""
    _steer(ctx, model, "rollback", reason, version, as_json)


def pause(
    ctx: typer.Context, model: Model, reason: Reason = None, version: Version = None, as_json: Json = False
) -> None:
    """Keep the running rollout where it is."""
    _steer(ctx, model, "pause", reason, version, as_json)


def resume(
    ctx: typer.Context, model: Model, reason: Reason = None, version: Version = None, as_json: Json = False
) -> None:
    """Let a paused rollout go on; its present step is watched anew."""
    _steer(ctx, model, "resume", reason, version, as_json)


def promote(
    ctx: typer.Context, model: Model, reason: Reason = None, version: Version = None, as_json: Json = False
) -> None:
    """Give the new version all traffic now."""
    _steer(ctx, model, "promote", reason, version, as_json)


def _steer(ctx: typer.Context, model: str, action: str, reason: str | None, version: int | None, as_json: bool) -> None:
    path = path_of("models", model, action)
    with session(ctx).client() as client:
        found: Document = client.http.json("POST", "deployer", path, json={"reason": reason, "version": version})
    answer(found, as_json, _teller(found))


def _teller(traffic: Document) -> Callable[[], None]:
    return lambda: _tell([traffic])


def _tell(found: list[Document]) -> None:
    rows = [{"model": each["model"], **route} for each in found for route in each["routes"]]
    table(rows, ["model", "role", "version", "percent", "digest"], empty="no version serves")
    for each in found:
        if each.get("rollout"):
            say(f"rollout {each['rollout']} is on its way")
