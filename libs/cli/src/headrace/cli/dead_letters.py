"""Commands about messages and items that could not be handled: list, show, replay, drop."""

from typing import Annotated

import typer

from headrace.cli.session import Json, answer, say, session
from headrace.cli.tables import record, table
from headrace.client.errors import HeadraceError
from headrace.client.sdk import Client, Document

Id = Annotated[str, typer.Argument(help="Id, as `headrace dead-letters list` shows it.")]

dead_letters = typer.Typer(no_args_is_help=True, help="What could not be handled, why, and what to do about it.")


def register(app: typer.Typer) -> None:
    """Add the group to the command line; `parked` is its short name."""
    app.add_typer(dead_letters, name="dead-letters")
    app.add_typer(dead_letters, name="parked", hidden=True)


@dead_letters.command("list")
def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """List the dead letters of every service."""
    with session(ctx).client() as client:
        found = list(client.dead_letters())
    columns = ["id", "service", "type", "key", "reason", "attempts", "set_aside_at"]
    answer(found, as_json, lambda: table(found, columns, empty="there are no dead letters"))


@dead_letters.command()
def show(ctx: typer.Context, id_: Id, as_json: Json = False) -> None:
    """Show one dead letter: its bytes, what failed, how often, and what to do."""
    with session(ctx).client() as client:
        found = client.http.json("GET", _service(client, id_), f"/dead-letters/{id_}")
    answer(found, as_json, lambda: record(found))


@dead_letters.command()
def replay(ctx: typer.Context, id_: Id, as_json: Json = False) -> None:
    """Have it handled again, under a new id that names the old one as its cause."""
    with session(ctx).client() as client:
        done: Document = client.http.json("POST", _service(client, id_), f"/dead-letters/{id_}/replay") or {}
    answer(done, as_json, lambda: say(f"{id_} is handled again"))


@dead_letters.command()
def drop(ctx: typer.Context, id_: Id, as_json: Json = False) -> None:
    """Give it up for good; audit keeps that it was."""
    with session(ctx).client() as client:
        client.http.request("DELETE", _service(client, id_), f"/dead-letters/{id_}")
    answer({"id": id_, "dropped": True}, as_json, lambda: say(f"{id_} is dropped"))


def _service(client: Client, id_: str) -> str:
    for item in client.dead_letters():
        if str(item["id"]) == id_:
            return str(item["service"])
    raise HeadraceError(f"no dead letter has the id {id_!r}; `headrace dead-letters list` shows what is there")
