"""Commands about own code: push a folder, and see which packages and versions there are."""

from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.session import Json, Limit, answer, listed, say, session
from headrace.cli.tables import record, table
from headrace.client.errors import HeadraceError
from headrace.client.http import path_of
from headrace.client.sdk import Document
from headrace.code.errors import BadPackage

Named = Annotated[str, typer.Argument(help="Name of the package, or NAME@VERSION.")]
COLUMNS = ["package", "version", "files", "size", "commit", "dirty", "by", "at", "digest"]

code = typer.Typer(no_args_is_help=True, help="Own code: packages that `training.code` names, and their versions.")


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(code, name="code")


@code.command()
def push(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the package.")],
    folder: Annotated[Path, typer.Argument(help="The folder with the code.", exists=True, file_okay=False)],
    as_json: Json = False,
) -> None:
    """Make a folder the newest version of a package; the same files again make no new one.

    What git ignores stays out; outside git, what the folder's `.headraceignore` names.
    """
    with session(ctx).client() as client:
        try:
            pushed = client.push_code(name, folder)
        except BadPackage as error:
            raise HeadraceError(f"{folder} is no package: {error}") from error
    answer(pushed, as_json, lambda: say(_taken(pushed)))


@code.command("list")
def list_(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The versions of this package alone.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List the packages, each by its newest version, or the versions of one."""
    path = "/code" if name is None else path_of("code", name, "versions")
    with session(ctx).client() as client:
        found = listed(client, "trainer", path, limit)
    answer(found, as_json, lambda: table(found, COLUMNS, empty="none; `headrace code push NAME FOLDER` makes one"))


@code.command()
def show(ctx: typer.Context, name: Named, as_json: Json = False) -> None:
    """Show a version of a package, and its files; without a version the newest one."""
    package, _, version = name.partition("@")
    path = path_of("code", package, "versions", version) if version else path_of("code", package)
    with session(ctx).client() as client:
        found: Document = client.http.json("GET", "trainer", path)
    answer(found, as_json, lambda: _tell(found))


def _taken(pushed: Document) -> str:
    where = f", commit {pushed['commit'][:12]}{' with changes' if pushed['dirty'] else ''}" if pushed["commit"] else ""
    told = f"version {pushed['version']}, {pushed['files']} files, {pushed['size']:,} bytes{where}"
    return f"{pushed['package']}: {told}" if pushed["created"] else f"{pushed['package']}: nothing new, {told} has them"


def _tell(found: Document) -> None:
    record({name: found[name] for name in COLUMNS if found[name] is not None})
    table(found["members"], ["path", "size", "program"], empty="no files")
