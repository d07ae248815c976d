"""Commands about answers: predict rows, report the truth; both read text by the model's signature."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from headrace.cli.session import Json, answer, progress_console, say, session
from headrace.cli.tables import Lines, plain
from headrace.client.errors import HeadraceError
from headrace.client.rows import in_batches
from headrace.client.sdk import Document
from headrace.client.truths import read_truths

SHOWN = 500  # rows printed at once
BATCH = 5_000  # labels a report; the schema allows 10,000
NAMED = 5  # ids in a sentence

Model = Annotated[str, typer.Argument(help="Name of the model.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (predict, truth):
        app.command()(command)


def predict(
    ctx: typer.Context,
    model: Model,
    input_: Annotated[
        str, typer.Option("--input", help="Rows as CSV, JSON, JSON lines or Parquet; - is standard input.")
    ],
    keep: Annotated[
        list[str] | None, typer.Option("--keep", help="A column to carry beside the answers, such as an order's id.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="The column with your own key of each row, to report truth by.")
    ] = None,
    ignore_unknown: Annotated[
        bool, typer.Option("--ignore-unknown", help="Leave out columns that the model does not know.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask the served model about rows, a column a feature; the answers keep the order of the rows.

    Cells are read by the model's signature: in a column of text, 007 and NA are text. Context columns are sent with
    them. Rows are read and answered piece by piece; a wrong one ends it, named by its line. A replica that cannot
    answer now (429, 503) is asked again for a minute, as late as its Retry-After wishes.
    """
    with session(ctx).client() as client, counted("rows answered") as tell:
        answers = client.predict_rows(model, input_, keep=keep or [], key=key, ignore_unknown=ignore_unknown)
        (_as_json if as_json else _as_lines)(_some(told(answers, tell)))


def truth(
    ctx: typer.Context,
    model: Model,
    file: Annotated[str, typer.Argument(help="Columns prediction_id or key, value, and at; - is standard input.")],
    as_json: Json = False,
) -> None:
    """Report what really happened, joined to the predictions by their ids, or by your own keys (`predict --key`).

    A key names the newest prediction that has it; a truth that comes before the first one waits for that.

    Values are read as the model's labels are: in text, with its zeros, or as numbers.
    """
    with session(ctx).client() as client, counted("truths reported") as tell:
        labels = told(read_truths(client, model, file), tell)
        batches = [client.truth(model, batch) for batch in in_batches(labels, BATCH)]
    if not batches:
        raise HeadraceError(f"{file}: no rows")
    counts, unknown = total(batches)
    named = f" (such as {', '.join(unknown)})" if unknown else ""
    document = {**counts, "unknown_ids": unknown}
    answer(document, as_json, lambda: say(", ".join(f"{name} {count:,}" for name, count in counts.items()) + named))


def total(batches: Sequence[Document]) -> tuple[dict[str, int], list[str]]:
    """What became of all truths together, and some ids of those that belong to no answer."""
    names = [name for name, value in batches[0].items() if isinstance(value, int)] if batches else []
    unknown = [each for batch in batches for each in batch.get("unknown_ids", ())]
    return {name: sum(int(batch[name]) for batch in batches) for name in names}, unknown[:NAMED]


@contextmanager
def counted(what: str) -> Iterator[Progress]:
    """A line on standard error that counts, where somebody sees it."""
    columns = (TextColumn("{task.completed:,.0f} {task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=progress_console, transient=True, disable=not progress_console.is_terminal
    ) as progress:
        progress.add_task(what, total=None)
        yield progress


def told(items: Iterable[Document], progress: Progress) -> Iterator[Document]:
    """The items, counted as they pass."""
    for item in items:
        progress.advance(TaskID(0))
        yield item


def _some(answers: Iterator[Document]) -> Iterator[Document]:
    first = next(answers, None)
    if first is None:
        raise HeadraceError("no rows were given")
    yield first
    yield from answers


def _as_lines(answers: Iterator[Document]) -> None:
    lines: Lines | None = None
    for some in in_batches(answers, SHOWN):
        flat = [_flat(each) for each in some]
        if lines is None:
            _say_labels(some[0].get("about", {}))
            lines = Lines(list(flat[0]))
        lines.write(flat)


def _say_labels(about: Mapping[str, Any]) -> None:
    """Which labels the numbers are about, beside the answers: a program that reads them is not disturbed."""
    for output, told in about.items():
        if "label" in told:
            progress_console.print(f"{output}: of the label {plain(told['label'])}", highlight=False, markup=False)
        elif "labels" in told:
            listed = ", ".join(map(plain, told["labels"]))
            progress_console.print(f"{output}: of the labels {listed}, in this order", highlight=False, markup=False)


def _flat(answered: Document) -> dict[str, Any]:
    """A row of output: the ids, the columns that were kept, the model's outputs."""
    ids = {name: answered[name] for name in ("prediction_id", "model_version")}
    kept = {name if name not in ids else f"kept_{name}": value for name, value in answered.get("kept", {}).items()}
    return {**ids, **kept, **{_free(name, kept): value for name, value in answered["outputs"].items()}}


def _free(name: str, taken: dict[str, Any]) -> str:
    return name if name not in taken else f"answered_{name}"


def _as_json(answers: Iterator[Document]) -> None:
    """One JSON document: it is kept in a file until the last answer is there, since an error is one, too."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as whole:
        _write_list(answers, whole)
        whole.seek(0)
        shutil.copyfileobj(whole, sys.stdout)


def _write_list(items: Iterator[Document], file: IO[str]) -> None:
    before = "["
    for item in items:
        file.write(before + "\n  " + json.dumps(item, ensure_ascii=False, default=str))
        before = ","
    file.write("[]\n" if before == "[" else "\n]\n")
