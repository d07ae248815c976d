"""The command that plays the demo."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from headrace.cli.session import Json, answer, console
from headrace.local import PORT_BASE


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: `headrace demo --keep`")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack running, and print its addresses.")] = False,
    target: Annotated[str, typer.Option(help="embedded: a stack of its own; compose: the one that runs.")] = "embedded",
    until: Annotated[int, typer.Option(min=4, max=12, help="Last month of the year that is replayed.")] = 7,
    port_base: Annotated[int, typer.Option("--port-base", help="First port of the demo's stack.")] = PORT_BASE,
    folder: Annotated[Path, typer.Option(help="Where its data and its report go.")] = Path(".headrace/demo"),
    as_json: Json = False,
) -> None:
    """Play a true story on real data: a model's life from a CSV to a served, watched and audited version.

    Exit code 0 only if every step held.
    """
    from headrace.demo.run import Wish, play  # plots and frames take two seconds to import

    wish = Wish(folder.resolve(), port_base, until, keep, target)
    terminal = Console(stderr=True) if as_json else console
    summary = play(wish, terminal)
    answer(summary, as_json, lambda: _farewell(keep, terminal))
    if not summary["held"]:
        raise typer.Exit(1)


def _farewell(keep: bool, terminal: Console) -> None:
    if keep:
        terminal.print("The stack runs on: `headrace status` shows its addresses, `headrace down` stops it.")
