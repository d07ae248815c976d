"""Commands about data: ingest a file, predict rows, report the truth."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from headrace.client.cli.session import Json, answer, progress_console, say, session

NAMED = 5  # ids in a sentence
BATCH = 5_000  # labels a report; the schema allows 10,000
ROWS = 1_000  # rows a prediction request, well under the server's limit

Model = Annotated[str, typer.Argument(help="Name of the model.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (ingest,):
        app.command()(command)


def ingest(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Name of the dataset.")],
    file: Annotated[Path, typer.Argument(help="CSV or Parquet.", exists=True, dir_okay=False)],
    mode: Annotated[str, typer.Option(help="append to the dataset, or replace it.")] = "append",
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="An upload is always answered when it is checked.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Upload a file; it becomes a new version of the dataset, whole, or is refused with the reason."""
    with session(ctx).client() as client, _bar() as bar:
        task = bar.add_task(file.name, total=file.stat().st_size)
        made = client.ingest(dataset, file, mode=mode, progress=lambda sent: bar.advance(task, sent))
    answer(made, as_json, lambda: say(f"{dataset}: version {made['version']}, {made['rows']:,} rows"))


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=progress_console, transient=True)
