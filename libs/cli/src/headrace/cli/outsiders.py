"""Commands about programs outside that have a name of their own at the broker: add, list, remove."""

from typing import Annotated, Any

import typer

from headrace.cli.session import Json, answer, progress_console, say
from headrace.cli.stack import FOLDER, Folder, running_stack
from headrace.cli.tables import table
from headrace.client.errors import HeadraceError
from headrace.local import Stack, StackError
from headrace.provision.outsiders import NoOutsider, NotReloaded

Name = Annotated[str, typer.Argument(help="Its name: up to 32 of a-z, 0-9, _ and -.")]
May = Annotated[
    list[str] | None,
    typer.Option("--may", help="What it may ask for: training, truth, ...; several times for several, default all."),
]
Public = Annotated[
    str | None, typer.Option("--public-key", help="Its public nkey (U...), where it keeps the seed itself.")
]

outsiders = typer.Typer(no_args_is_help=True, help="Programs outside: who may make requests at the broker.")


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(outsiders, name="outsiders")


@outsiders.command()
def add(name: Name, may: May = None, public_key: Public = None, folder: Folder = FOLDER, as_json: Json = False) -> None:
    """Give a program an identity of its own; a running broker lets it in at once."""
    stack = running_stack(folder)
    try:
        made = stack.outsiders().add(name, may or [], public_key)
    except NoOutsider as error:
        raise HeadraceError(str(error)) from error
    seed = None if public_key else stack.outsiders().seed(name)
    told: dict[str, Any] = {
        "name": name,
        "public_key": made.key,
        "may": _words(made.may),
        "seed_file": str(seed) if seed else None,
    }
    told["in_force"] = _taken(stack)
    answer(told, as_json, lambda: _tell(told))


@outsiders.command("list")
def list_(folder: Folder = FOLDER, as_json: Json = False) -> None:
    """List every outsider: its public key, and what it may ask for."""
    known = running_stack(folder).outsiders().all()
    rows = [{"name": name, "may": _words(each.may), "public_key": each.key} for name, each in known.items()]
    empty = "there are none; `headrace outsiders add NAME` adds one"
    answer(rows, as_json, lambda: table(rows, ["name", "may", "public_key"], empty=empty))


@outsiders.command()
def remove(name: Name, folder: Folder = FOLDER, as_json: Json = False) -> None:
    """Take an identity away; a running broker ends its connections at once."""
    stack = running_stack(folder)
    try:
        stack.outsiders().remove(name)
    except NoOutsider as error:
        raise HeadraceError(str(error)) from error
    told = {"name": name, "removed": True, "in_force": _taken(stack)}
    answer(told, as_json, lambda: say(f"{name} is removed"))


def _taken(stack: Stack) -> bool:
    """Whether the broker knows it now; one that does not run reads it at its start."""
    try:
        return stack.reload_broker()
    except (NotReloaded, StackError) as error:
        raise HeadraceError(f"it is written, and the broker does not know of it yet: {error}") from error


def _words(kinds: tuple[str, ...]) -> list[str]:
    return [kind.split(".")[2] for kind in kinds]


def _tell(told: dict[str, Any]) -> None:
    say(told["seed_file"] or told["public_key"])
    progress_console.print(
        f"{told['name']} may ask for {', '.join(told['may'])}: it publishes to headrace.request.<what>.<key>, and "
        "hears its answers on headrace.answers.>",
        highlight=False,
        soft_wrap=True,
    )
