"""Commands about models that were made elsewhere: import one, and see what became of imports."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.status import Status

from headrace.cli.data import upload_bar
from headrace.cli.models import exit_code
from headrace.cli.session import Json, Limit, Timeout, Wait, answer, listed, progress_console, say, session
from headrace.cli.tables import table
from headrace.client.artifacts import packed
from headrace.client.errors import HeadraceError
from headrace.client.sdk import Client, Document

Column = Annotated[str | None, typer.Option("--columns", help="a,b,c: the columns in the model's order.")]
Output = Annotated[
    list[str] | None,
    typer.Option("--output", help="probability=NAME: the model's own name of an output; may come several times."),
]
Labels = Annotated[str | None, typer.Option("--labels", help="no,yes: the labels in the model's order.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("import")(import_)
    app.command()(imports)
    app.command("cancel-import")(cancel_import)


def import_(
    ctx: typer.Context,
    model: Annotated[str, typer.Argument(help="Name of the declared model that gets a new version.")],
    path: Annotated[Path, typer.Argument(help="ONNX, PMML, LightGBM text, XGBoost, skops, or an MLflow directory.")],
    data: Annotated[
        str | None, typer.Option("--data", help="DATASET[@VERSION] that judges it, by all of its rows.")
    ] = None,
    learned_from: Annotated[
        str | None, typer.Option("--learned-from", help="DATASET@VERSION that it has learned from, or none.")
    ] = None,
    columns: Column = None,
    output: Output = None,
    labels: Labels = None,
    kind: Annotated[str | None, typer.Option("--format", help="What it is; found by its content.")] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the version.")] = "imported",
    wait: Wait = False,
    timeout: Timeout = 1800,
    as_json: Json = False,
) -> None:
    """Import a model that was made elsewhere; with --wait, until its version is decided upon.

    It meets the same gates, approvals and rollout as one that was trained here. Without --data the rows judge it that
    the declaration holds out. Without --learned-from nobody knows which rows it has learned from, and it is compared
    with no other version.
    """
    wishes: dict[str, Any] = {"data": data, "learned_from": learned_from, "format": kind, "reason": reason}
    wishes |= {"columns": columns and columns.split(","), "labels": labels and labels.split(",")}
    wishes |= {"outputs": dict(map(_pair, output)) if output else None}
    with session(ctx).client() as client:
        made = _sent(client, model, path, {name: value for name, value in wishes.items() if value is not None})
        if wait:
            with progress_console.status(f"import {made['import_id']}") as status:
                made = _follow(client, model, made["import_id"], timeout, status)
    answer(made, as_json, lambda: say(brought(made)))
    if code := exit_code(made):
        raise typer.Exit(code)


def imports(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only of this model.")] = None,
    state: Annotated[str | None, typer.Option(help="Only in this state: running, completed, failed, ...")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List imports, newest first, with why one failed."""
    with session(ctx).client() as client:
        found = listed(client, "trainer", "/imports", limit, model=model, state=state)
    columns = ["import_id", "model", "source_name", "state", "dataset", "dataset_version", "asked_at", "why"]
    rows = [{**each, "why": _why(each)} for each in found]
    answer(found, as_json, lambda: table(rows, columns, empty="no imports; `headrace import MODEL PATH` makes one"))


def cancel_import(
    ctx: typer.Context,
    import_id: Annotated[str, typer.Argument(help="Id of the import.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the import.")] = "asked for",
    as_json: Json = False,
) -> None:
    """Cancel an import that waits or runs; one that is cancelled already stays as it is."""
    with session(ctx).client() as client:
        found = client.cancel_import(import_id, reason)
    answer(found, as_json, lambda: say(brought(found)))


def brought(made: Document) -> str:
    """What became of an import: its version, or why there is none, and what to look at."""
    parts = [f"import {made['import_id']}: {made['state']}"]
    parts += [f"version {made['version']}"] if made.get("version") else []
    parts += [why] if (why := _why(made)) else []
    return "\n  ".join(["; ".join(parts), *(f"warning: {each}" for each in made.get("warnings") or [])])


def _sent(client: Client, model: str, path: Path, wishes: Document) -> Document:
    with packed(path) as file, upload_bar() as bar:
        task = bar.add_task(path.name, total=file.stat().st_size)
        return client.import_model(model, file, path.name, lambda sent: bar.advance(task, sent), **wishes)


def _follow(client: Client, model: str, import_id: str, timeout: float, status: Status) -> Document:
    """Wait for an import, and for what the registry decides of its version."""
    ended = client.wait_for_import(import_id, timeout=timeout, seen=lambda at: status.update(_progress(at)))
    if ended["state"] != "completed":
        return ended
    status.update(f"import {import_id}: evaluating")
    version = client.wait_for_version(model, import_id, timeout=timeout)
    known = {name: version.get(name) for name in ("version", "state", "metrics", "reason")}
    return {"import_id": import_id, "model": model, **known, "warnings": ended.get("warnings", [])}


def _progress(made: Document) -> str:
    return f"import {made['import_id']}: {made['state']}"


def _why(made: Document) -> str | None:
    outcome = made.get("outcome") or {}
    if made["state"] == "cancelled":
        return str(outcome.get("reason", "no reason is known"))
    if made["state"] == "failed":
        return f"{outcome.get('because', 'code')}: {outcome.get('reason', 'no reason is known')}"
    return made.get("reason") if made["state"] == "rejected" else None


def _pair(text: str) -> tuple[str, str]:
    name, given, value = text.partition("=")
    if not (name and given and value):
        raise HeadraceError(f"--output {text!r} is not OUTPUT=NAME, such as probability=score")
    return name, value
