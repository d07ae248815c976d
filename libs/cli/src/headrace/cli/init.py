"""The command that begins: a commented declaration beside a CSV, or beside an example to learn from."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.guess import Guess, guess
from headrace.cli.session import Json, answer, say
from headrace.client.errors import HeadraceError
from headrace.contracts import ContractError, load_yaml
from headrace.tasks import TASKS, parse_declaration

FILE = "model.yaml"
EXAMPLE, DATASET, TARGET = "example", "flights", "late"


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(init)


def init(
    name: Annotated[str, typer.Argument(help="Name of the model, such as late-flights.")],
    data: Annotated[
        Path | None, typer.Option(help="A CSV of rows to learn from; without it an example is laid.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="The column to predict; without it the last one.")] = None,
    as_json: Json = False,
) -> None:
    """Write a commented `model.yaml` beside a CSV, with the task and the columns guessed from its first rows.

    Without --data a folder of the model's name is made, with 2,000 flights to learn from, 50 later ones to ask about,
    and what became of them.
    """
    source = data if data is not None else _lay_example(Path(name))
    found = guess(source, target or (None if data is not None else TARGET))
    dataset = DATASET if data is None else _dataset_of(source)
    text = render(name, dataset, source.name, found)
    try:
        parse_declaration(load_yaml(text))
    except ContractError as error:
        raise HeadraceError(f"no declaration can be written for it: {error}") from error
    file = source.parent / FILE
    _write_new(file, text)
    document = {
        "file": str(file),
        "data": str(source),
        "dataset": dataset,
        "task": found.task,
        "target": found.target.name,
    }
    answer(document, as_json, lambda: say(_next(file, source, dataset, found)))


def render(name: str, dataset: str, file: str, found: Guess) -> str:
    """The declaration, with a comment on what was guessed, and why."""
    target, task = found.target.name, TASKS[found.task]
    values = len(found.target.values)
    lines = [
        f"# What Headrace needs to know of {name}; `headrace apply {FILE}` declares it, and again after a change.",
        "# Every field and its default: schemas/model/README.md.",
        "kind: Model",
        f"name: {_quoted(name)}",
        "# purpose: What is decided with its answers, and for whom.",
        "# owner: {team: operations, contact: ops@example.org}",
        f"task: {found.task}   # {task.about}; {target!r} has {values:,} different values in {found.rows:,} rows",
        "data:",
        f"  dataset: {_quoted(dataset)}   # rows come with `headrace ingest {dataset} {file}`",
        f"  target: {_quoted(target)}",
    ]
    if found.time is not None:
        lines.append(f"  time: {_quoted(found.time)}   # a version is judged on newer rows than those it learned from")
    if found.ignore:
        lines.append(f"  ignore: [{_listed(found.ignore)}]   # each row has another value, which teaches nothing")
    if found.groups:
        lines.append(f"  # groups: [{_listed(found.groups)}]   # watched for fairness, where they stand for people")
    lines += [
        "# training: {framework: lightgbm}   # the default is a scikit-learn gradient boosting",
        f"# evaluation: {{metrics: [{', '.join(task.usual)}]}}   # computed on rows that were held out",
        "# approval: {needed: 1}   # people who must approve a version; whoever declared or trained it does not count",
        "# monitoring: {every: PT1H}   # how often drift, quality and fairness are judged",
        "# retraining: {on: [drift, performance]}   # without it, new data alone trains a new version",
    ]
    return "\n".join(lines) + "\n"


def _lay_example(folder: Path) -> Path:
    if folder.exists():
        raise HeadraceError(f"{folder} is there already; name another model, or say --data FILE")
    try:
        with as_file(files("headrace.cli") / EXAMPLE) as example:
            shutil.copytree(example, folder)
    except OSError as error:
        raise HeadraceError(f"the example cannot be laid: {error}") from error
    return folder / f"{DATASET}.csv"


def _write_new(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
    except FileExistsError as error:
        raise HeadraceError(f"{file} is there already; move it away, or change it by hand") from error
    except OSError as error:
        raise HeadraceError(f"{file} cannot be written: {error}") from error


def _dataset_of(file: Path) -> str:
    """The file's name as that of a dataset: small letters, digits and hyphens."""
    name = "".join(each if each.isascii() and each.isalnum() else "-" for each in file.name.split(".")[0].lower())
    return name.strip("-") or "data"


def _listed(names: list[str]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    """A name as YAML reads it back."""
    plain = name.replace("-", "").replace("_", "")
    if plain.isascii() and plain.isalnum() and not plain.isdigit() and name[0].isalpha() and name.lower() not in WORDS:
        return name
    return "'" + name.replace("'", "''") + "'"


WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def _next(file: Path, source: Path, dataset: str, found: Guess) -> str:
    return (
        f"{file} is written: {found.task} of {found.target.name!r}; look at it, then\n"
        f"  headrace apply {file}\n  headrace ingest {dataset} {source}"
    )
