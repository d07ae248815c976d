"""Commands about data: ingest a file, predict rows, report the truth."""

import json
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from headrace.client.cli.session import Json, answer, progress_console, say, session, table
from headrace.client.errors import HeadraceError
from headrace.client.sdk import Document

if TYPE_CHECKING:
    import pandas as pd  # a second to import; the functions that need it import it themselves

NAMED = 5  # ids in a sentence
BATCH = 5_000  # labels a report; the schema allows 10,000
ROWS = 1_000  # rows a prediction request, well under the server's limit

Model = Annotated[str, typer.Argument(help="Name of the model.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (ingest, predict, truth):
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


def predict(
    ctx: typer.Context,
    model: Model,
    input_: Annotated[str, typer.Option("--input", help="rows.csv, rows.json, or - for standard input.")],
    as_json: Json = False,
) -> None:
    """Ask the served model about rows; a column a feature."""
    rows = read_rows(input_)
    with session(ctx).client() as client:
        answers = [client.predict(model, _columns(rows[at : at + ROWS])) for at in range(0, len(rows), ROWS)]
    found = [row for document in answers for row in rows_of(document)]
    columns = ["prediction_id", "model_version", "outputs"]
    answer(found, as_json, lambda: table(found, columns, empty="no rows were given"))


def truth(
    ctx: typer.Context,
    model: Model,
    file: Annotated[Path, typer.Argument(help="CSV with the columns prediction_id, value.", exists=True)],
    as_json: Json = False,
) -> None:
    """Report what really happened, joined to the predictions by their ids."""
    labels = read_labels(file)
    with session(ctx).client() as client:
        batches = [client.truth(model, labels[at : at + BATCH]) for at in range(0, len(labels), BATCH)]
    counts, unknown = _total(batches)
    document = {**counts, "unknown_ids": unknown}
    named = f" (such as {', '.join(unknown)})" if unknown else ""
    answer(document, as_json, lambda: say(", ".join(f"{name} {count:,}" for name, count in counts.items()) + named))


def _total(batches: Sequence[Document]) -> tuple[dict[str, int], list[str]]:
    """What became of all truths together, and some ids of those that belong to no answer."""
    names = [name for name, value in batches[0].items() if isinstance(value, int)] if batches else []
    unknown = [each for batch in batches for each in batch.get("unknown_ids", ())]
    return {name: sum(int(batch[name]) for batch in batches) for name in names}, unknown[:NAMED]


def read_rows(source: str) -> "pd.DataFrame":
    """The rows of a CSV or JSON file, or of standard input; raises HeadraceError naming the file."""
    raw = sys.stdin.buffer.read() if source == "-" else _read(Path(source))
    try:
        return _parse(raw)
    except ValueError as error:
        raise HeadraceError(f"{source}: neither CSV nor a JSON list of rows: {error}") from error


def read_labels(file: Path) -> list[Document]:
    """The labels of a CSV file; raises HeadraceError when a column is missing."""
    frame = read_rows(str(file))
    missing = {"prediction_id", "value"} - set(frame.columns)
    if missing:
        raise HeadraceError(f"{file}: no column {', '.join(sorted(missing))}; it has {', '.join(frame.columns)}")
    wanted = [name for name in ("prediction_id", "value", "at") if name in frame.columns]
    return [dict(zip(wanted, row, strict=True)) for row in _plain(frame[wanted])]


def rows_of(document: Document) -> list[Document]:
    """One line a row of a V2 answer: {prediction_id, model_version, outputs}."""
    prediction = document["parameters"]["prediction_id"]
    outputs: Sequence[Mapping[str, Any]] = document["outputs"]
    count = outputs[0]["shape"][0] if outputs else 0
    return [
        {
            "prediction_id": f"{prediction}:{row}",
            "model_version": document["model_version"],
            "outputs": {output["name"]: output["data"][row] for output in outputs},
        }
        for row in range(count)
    ]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HeadraceError(f"{path}: {error.strerror}") from error


def _parse(raw: bytes) -> "pd.DataFrame":
    import pandas as pd

    if raw.lstrip()[:1] in (b"[", b"{"):
        document = json.loads(raw)
        return pd.DataFrame(document if isinstance(document, list) else [document])
    return pd.read_csv(BytesIO(raw))


def _columns(rows: "pd.DataFrame") -> dict[str, list[Any]]:
    columns = [str(name) for name in rows.columns]
    return dict(zip(columns, map(list, zip(*_plain(rows), strict=True)), strict=True))


def _plain(frame: "pd.DataFrame") -> list[tuple[Any, ...]]:
    """Rows as plain Python values, a gap as None."""
    objects = frame.astype(object).where(frame.notna(), None)
    return [tuple(row) for row in objects.itertuples(index=False)]


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=progress_console, transient=True)
