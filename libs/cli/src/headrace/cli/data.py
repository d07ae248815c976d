"""The command about data: ingest a file, and what follows from it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from headrace.cli.follows import what_follows
from headrace.cli.session import Json, answer, progress_console, say, session
from headrace.client.sdk import Document


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(ingest)


def ingest(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")],
    file: Annotated[Path, typer.Argument(help="CSV or Parquet.", exists=True, dir_okay=False)],
    mode: Annotated[str, typer.Option(help="append to the dataset, or replace it.")] = "append",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Look what follows; an upload is checked when it is answered.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Upload a file; it becomes a new version of the dataset, whole, or is refused with the reason.

    The answer says what may not be what was meant, and what follows: which models train on it, and which do not.
    """
    with session(ctx).client() as client, upload_bar() as bar:
        task = bar.add_task(file.name, total=file.stat().st_size)
        made = client.ingest(dataset, file, mode=mode, progress=lambda sent: bar.advance(task, sent))
        follows = what_follows(client, dataset, made) if wait else []
    answer({**made, "follows": follows}, as_json, lambda: say("\n  ".join(_taken(made, follows))))


def _taken(made: Document, follows: list[Document]) -> list[str]:
    """What was taken, what may not be what was meant, what follows."""
    version = f"version {made['version']}, {made['rows']:,} rows"
    head = f"{made['dataset']}: {version}" if made["created"] else f"{made['dataset']}: nothing new, {version} has it"
    warnings = [f"warning: {warned(each)}" for each in made["warnings"]]
    return [head, *warnings, *(each["text"] for each in follows)]


def warned(warning: Document) -> str:
    """A warning in words, with the column that it is about."""
    told = str(warning.get("message", warning))
    return f"{warning['column']}: {told}" if warning.get("column") else told


def upload_bar() -> Progress:
    """A bar of bytes sent, on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=progress_console, transient=True)
