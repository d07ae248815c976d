"""Commands about changes that wait for people: of declarations, and of what serves."""

from typing import Annotated

import typer

from headrace.cli.session import Json, Limit, answer, listed, say, session
from headrace.cli.tables import record, table
from headrace.client.http import path_of
from headrace.client.sdk import Document

Model = Annotated[str, typer.Argument(help="Name of the model.")]
Change = Annotated[str, typer.Argument(help="Id of the change, as `headrace changes list` shows it.")]
Comment = Annotated[str, typer.Option(help="Why; kept for ever.")]

changes = typer.Typer(
    no_args_is_help=True, help="Changes that loosen a policy, or move what serves: they wait for people."
)


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(changes, name="changes")


@changes.command("list")
def list_(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only of this model, in every state.")] = None,
    state: Annotated[str | None, typer.Option(help="pending, approved, rejected, ...; of all models: pending.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List changes, newest first: those that wait, or all of one model."""
    path = path_of("changes") if model is None else path_of("models", model, "changes")
    with session(ctx).client() as client:
        found = listed(client, "registry", path, limit, state=state)
    rows = [{**each, "approvals": each["approvals"]["text"], "what": what(each)} for each in found]
    columns = ["change", "model", "state", "approvals", "what", "by", "at", "expires_at"]
    answer(found, as_json, lambda: table(rows, columns, empty="no change waits"))


@changes.command()
def show(ctx: typer.Context, model: Model, change: Change, as_json: Json = False) -> None:
    """Show one change: what it loosens, who proposed it, what people said of it."""
    with session(ctx).client() as client:
        found: Document = client.http.json("GET", "registry", path_of("models", model, "changes", change))
    told = {name: value for name, value in found.items() if value not in (None, [], {}) and name != "declaration"}
    answer(found, as_json, lambda: record({**told, "approvals": found["approvals"]["text"]}))


@changes.command()
def approve(ctx: typer.Context, model: Model, change: Change, comment: Comment, as_json: Json = False) -> None:
    """Say yes to a change that waits; never one's own. With enough approvals it takes effect."""
    _decide(ctx, model, change, "approve", {"comment": comment}, as_json)


@changes.command()
def reject(ctx: typer.Context, model: Model, change: Change, comment: Comment, as_json: Json = False) -> None:
    """Say no to a change that waits."""
    _decide(ctx, model, change, "reject", {"comment": comment}, as_json)


@changes.command()
def withdraw(ctx: typer.Context, model: Model, change: Change, as_json: Json = False) -> None:
    """Take back a change that one has proposed oneself."""
    _decide(ctx, model, change, "withdraw", None, as_json)


def _decide(ctx: typer.Context, model: str, change: str, decision: str, body: Document | None, as_json: bool) -> None:
    path = path_of("models", model, "changes", change, decision)
    with session(ctx).client() as client:
        found: Document = client.http.json("POST", "registry", path, json=body)
    answer(found, as_json, lambda: say(standing(found)))


def what(change: Document) -> str:
    """What a change does, in words."""
    if change.get("alias"):
        return f"moves {change['alias']} to version {change['version']}: {change.get('reason') or 'no reason given'}"
    return f"loosens {'; '.join(change['loosens'])}" if change["loosens"] else ", ".join(change["changed"])


def standing(change: Document) -> str:
    """Where a change stands: `1 of 2 approvals` while it waits."""
    approvals = f", {change['approvals']['text']} approvals" if change["state"] == "pending" else ""
    return f"change {change['change']} of {change['model']}: {change['state']}{approvals}; it {what(change)}"
