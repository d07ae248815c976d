"""Commands about aliases: where they point, where they pointed, moving one."""

from typing import Annotated

import typer

from headrace.cli.changes import standing
from headrace.cli.session import Json, Limit, answer, listed, say, session
from headrace.cli.tables import table
from headrace.client.http import path_of
from headrace.client.sdk import Document

Model = Annotated[str, typer.Argument(help="Name of the model.")]
Name = Annotated[str, typer.Argument(help="Name of the alias, such as champion.")]

alias = typer.Typer(no_args_is_help=True, help="Aliases: names for versions; `champion` is the one that serves.")


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(alias, name="alias")


@alias.command("list")
def list_(ctx: typer.Context, model: Model, limit: Limit = 50, as_json: Json = False) -> None:
    """List where every alias of a model points, and since when."""
    with session(ctx).client() as client:
        found = listed(client, "registry", path_of("models", model, "aliases"), limit)
    answer(found, as_json, lambda: table(found, ["alias", "version", "since"], empty=f"{model} has no aliases yet"))


@alias.command("set")
def set_(
    ctx: typer.Context,
    model: Model,
    name: Name,
    version: Annotated[int, typer.Argument(help="Number of an approved version.")],
    reason: Annotated[str, typer.Option(help="Why; kept for ever.")],
    as_json: Json = False,
) -> None:
    """Point an alias at an approved version. `champion` serves: moving it needs the approvals of such a decision."""
    body = {"version": version, "reason": reason}
    with session(ctx).client() as client:
        found: Document = client.http.json("PUT", "registry", path_of("models", model, "aliases", name), json=body)
    answer(found, as_json, lambda: say(_moved(found)))


@alias.command()
def history(ctx: typer.Context, model: Model, name: Name, limit: Limit = 50, as_json: Json = False) -> None:
    """List the moves of an alias, newest first."""
    with session(ctx).client() as client:
        found = listed(client, "registry", path_of("models", model, "aliases", name, "history"), limit)
    columns = ["version", "previous", "since", "by", "reason"]
    answer(found, as_json, lambda: table(found, columns, empty=f"{model} never had an alias {name}"))


def _moved(found: Document) -> str:
    """That it points there now, or what it waits for."""
    if "change" in found:
        return standing(found)
    return f"{found['model']}@{found['alias']}: version {found['version']}"
