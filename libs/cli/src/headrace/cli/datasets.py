"""Commands about datasets: list, show, versions, their files, the contract, what was rejected."""

from typing import Annotated

import typer

from headrace.cli.data import warned
from headrace.cli.session import Json, Limit, answer, listed, say, session
from headrace.cli.tables import record, table
from headrace.client.http import path_of
from headrace.client.sdk import Document

Name = Annotated[str, typer.Argument(help="Name of the dataset.")]
RULES = ["name", "type", "nullable", "unique", "minimum", "maximum", "allowed"]

datasets = typer.Typer(no_args_is_help=True, help="Datasets: versions, contracts, files that were rejected.")


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(datasets, name="datasets")


@datasets.command("list")
def list_(ctx: typer.Context, as_json: Json = False) -> None:
    """List all datasets, each by its newest version."""
    with session(ctx).client() as client:
        found = list(client.http.pages("ingest", "/datasets"))
    columns = ["dataset", "version", "rows", "parts", "at", "digest"]
    answer(found, as_json, lambda: table(found, columns, empty="no datasets; `headrace ingest DATASET FILE` makes one"))


@datasets.command()
def show(
    ctx: typer.Context,
    dataset: Name,
    version: Annotated[int | None, typer.Option("--version", help="Default: the newest.")] = None,
    as_json: Json = False,
) -> None:
    """Show a version of a dataset: its columns, its warnings, who brought it."""
    path = path_of("datasets", dataset) if version is None else path_of("datasets", dataset, "versions", version)
    with session(ctx).client() as client:
        found: Document = client.http.json("GET", "ingest", path)
    answer(found, as_json, lambda: _tell(found))


@datasets.command()
def versions(ctx: typer.Context, dataset: Name, limit: Limit = 50, as_json: Json = False) -> None:
    """List the versions of a dataset, newest first."""
    with session(ctx).client() as client:
        found = listed(client, "ingest", path_of("datasets", dataset, "versions"), limit)
    columns = ["version", "mode", "rows", "added_rows", "warnings", "by", "at", "digest"]
    answer(found, as_json, lambda: table(found, columns, empty=f"{dataset} has no versions"))


@datasets.command()
def parts(
    ctx: typer.Context,
    dataset: Name,
    version: Annotated[int | None, typer.Option("--version", help="Default: the newest.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the files that a version of a dataset consists of, oldest first."""
    with session(ctx).client() as client:
        if version is None:
            version = client.http.json("GET", "ingest", path_of("datasets", dataset))["version"]
        found = listed(client, "ingest", path_of("datasets", dataset, "versions", version, "parts"), limit)
    rows = [{**each, "sha256": each["source"]["sha256"]} for each in found]
    columns = ["version", "source_name", "rows", "ingested_at", "by", "sha256"]
    answer(found, as_json, lambda: table(rows, columns, empty="no parts"))


@datasets.command()
def contract(ctx: typer.Context, dataset: Name, as_json: Json = False) -> None:
    """Show the contract in force: what each column must be."""
    with session(ctx).client() as client:
        found: Document = client.http.json("GET", "ingest", path_of("datasets", dataset, "contract"))
    answer(found, as_json, lambda: _tell_contract(found))


@datasets.command()
def rejections(ctx: typer.Context, dataset: Name, limit: Limit = 20, as_json: Json = False) -> None:
    """List files that broke the contract, newest first, each with its first violation."""
    with session(ctx).client() as client:
        found = listed(client, "ingest", path_of("datasets", dataset, "rejections"), limit)
    rows = [{**each, "first": _first(each), "violations": len(each["violations"])} for each in found]
    columns = ["id", "at", "source_name", "reason", "violations", "first", "by"]
    answer(found, as_json, lambda: table(rows, columns, empty=f"no file of {dataset} was rejected"))


def _first(rejection: Document) -> str:
    violations = rejection["violations"]
    return str(violations[0].get("message", violations[0])) if violations else ""


def _tell(found: Document) -> None:
    head = ["dataset", "version", "mode", "rows", "added_rows", "parts", "by", "at", "digest"]
    record({name: found[name] for name in head})
    table(found["columns"], ["name", "type", "nullable"], empty="no columns")
    for warning in found["warnings"]:
        say(f"warning: {warned(warning)}")


def _tell_contract(found: Document) -> None:
    record({name: value for name, value in found.items() if name != "columns" and value})
    used = [rule for rule in RULES if any(column.get(rule) is not None for column in found["columns"])]
    table(found["columns"], used, empty="no columns yet: the next file makes them")
