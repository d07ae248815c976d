"""Commands about models: declare, train, list, show, decide."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.status import Status

from headrace.cli.brief import brief
from headrace.cli.session import Json, Timeout, Wait, answer, progress_console, say, session
from headrace.cli.tables import record, table
from headrace.client.errors import HeadraceError
from headrace.client.sdk import Client, Document
from headrace.client.uris import ModelUri
from headrace.contracts import ContractError, load_yaml, with_lines
from headrace.tasks import parse_declaration

Uri = Annotated[str, typer.Argument(help="models:/NAME/VERSION or models:/NAME@ALIAS")]
Model = Annotated[str, typer.Argument(help="Name of the model.")]
Priority = Annotated[
    str | None,
    typer.Option(help="In the place of the declared one: low, normal, high, urgent, or a whole number from -10 to 10."),
]
UNSUCCESSFUL = {"failed", "cancelled", "rejected", "expired", "revoked"}  # of a run or its version


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (apply, train, wait, cancel, models, versions, show, approve, reject):
        app.command()(command)


def apply(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Declarations, YAML or JSON.")],
    as_json: Json = False,
) -> None:
    """Declare models; says what changed. Every file is checked before the first is applied."""
    declarations = [read_declaration(file) for file in files]
    with session(ctx).client() as client:
        applied = [_with_room(client, declaration, client.apply(declaration)) for declaration in declarations]
    answer(applied, as_json, lambda: say("\n".join(map(_applied, applied))))


def train(
    ctx: typer.Context,
    model: Model,
    wait: Wait = False,
    timeout: Timeout = 1800,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the run.")] = "asked for",
    priority: Priority = None,
    as_json: Json = False,
) -> None:
    """Ask for a training run; with --wait, until its version is decided upon.

    Exit code 1 where the run failed or was cancelled, or its version was rejected; 0 where it is approved, or waits
    for people.
    """
    with session(ctx).client() as client:
        run = client.train(model, reason=reason, priority=priority_asked(priority))
        if wait:
            with progress_console.status(f"run {run['run']}") as status:
                run = follow(client, model, run["run"], timeout, status)
    answer(run, as_json, lambda: say(ran(run)))
    if code := exit_code(run):
        raise typer.Exit(code)


def wait(ctx: typer.Context, model: Model, timeout: Timeout = 600, as_json: Json = False) -> None:
    """Wait until a version of a model answers; ends with 1 where nothing will follow by itself, and says why."""
    with session(ctx).client() as client, progress_console.status(model) as status:
        served = client.wait_until_served(model, timeout=timeout, seen=status.update)
    document = {"model": served.model, "inputs": served.inputs, "context": served.context}
    answer(document, as_json, lambda: say(f"{model} answers; it takes {', '.join(served.inputs)}"))


def cancel(
    ctx: typer.Context, run: Annotated[str, typer.Argument(help="Id of the run.")], as_json: Json = False
) -> None:
    """Cancel a training run that has not ended."""
    with session(ctx).client() as client:
        cancelled = client.cancel(run)
    answer(cancelled, as_json, lambda: say(f"run {run}: {cancelled['state']}"))


def models(ctx: typer.Context, as_json: Json = False) -> None:
    """List the declared models."""
    with session(ctx).client() as client:
        found = client.models()
    columns = ["name", "revision", "aliases", "owner", "purpose"]
    answer(found, as_json, lambda: table(found, columns, empty="no models; declare one with `headrace apply FILE`"))


def versions(ctx: typer.Context, model: Model, as_json: Json = False) -> None:
    """List the versions of a model, newest first."""
    with session(ctx).client() as client:
        found = client.versions(model)
    columns = ["version", "state", "aliases", "metrics", "estimator", "params", "created", "reason", "digest"]
    answer(found, as_json, lambda: table(found, columns, empty=f"{model} has no versions yet"))


def show(ctx: typer.Context, uri: Uri, as_json: Json = False) -> None:
    """Show one version on a screen: how it was made, judged and decided upon. All that is known of it is in --json."""
    with session(ctx).client() as client:
        found = client.version(ModelUri.parse(uri))
    answer(found, as_json, lambda: record(brief(found)))


def approve(
    ctx: typer.Context,
    uri: Uri,
    comment: Annotated[str, typer.Option(help="Why; kept for ever.")],
    as_json: Json = False,
) -> None:
    """Approve a version that waits for people."""
    _decide(ctx, uri, "approve", comment, as_json)


def reject(
    ctx: typer.Context,
    uri: Uri,
    comment: Annotated[str, typer.Option(help="Why; kept for ever.")],
    as_json: Json = False,
) -> None:
    """Reject a version that waits for people."""
    _decide(ctx, uri, "reject", comment, as_json)


def read_declaration(file: Path) -> Document:
    """A declaration from its file, as written; raises HeadraceError that names file, line and place of each problem."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise HeadraceError(f"{file}: {error}") from error
    try:
        parse_declaration(text)
        document = load_yaml(text)
    except ContractError as error:
        told = with_lines(error, text).splitlines()
        raise HeadraceError("\n".join(f"{file}: {each}" for each in told)) from error
    declared: Document = document
    return declared


def priority_asked(given: str | None) -> int | str | None:
    """A priority as it is asked for: a number where it is written as one, else a name."""
    try:
        return None if given is None else int(given)
    except ValueError:
        return given


def follow(client: Client, model: str, run: str, timeout: float, status: Status) -> Document:
    """Wait for a run and for what the registry decides of its version; shows the steps on the way."""
    ended = client.wait_for_run(run, timeout=timeout, seen=lambda at: status.update(progress(at)))
    if ended["state"] != "completed":
        return ended
    status.update(f"run {run}: evaluating")
    version = client.wait_for_version(model, run, timeout=timeout)
    return {
        "run": run,
        "model": model,
        **{name: version.get(name) for name in ("version", "state", "metrics", "reason")},
        "warnings": ended.get("warnings", []),
    }


def progress(run: Document) -> str:
    """What a run does now, in a few words."""
    done = run.get("progress") or {}
    of = f" of {done['of']} trials" if done.get("stage") == "searching" else ""
    return f"run {run['run']}: {run['state']} {done.get('stage', '')} {done.get('step', '')}{of}".rstrip()


def _decide(ctx: typer.Context, uri: str, decision: str, comment: str, as_json: bool) -> None:
    with session(ctx).client() as client:
        decided = client.decide(ModelUri.parse(uri), decision, comment)
    answer(decided, as_json, lambda: say(_decided(uri, decided)))


def _decided(uri: str, version: Document) -> str:
    given = version.get("approvals") or {}
    standing = f", {given['text']} approvals" if version["state"] == "pending" and given else ""
    return f"{uri}: {version['state']}{standing}"


def _with_room(client: Client, declaration: Document, applied: Document) -> Document:
    """The answer with a warning where its runs could not start; who may not ask the trainer is not told."""
    declared = parse_declaration(declaration)
    training, wanted = declared.training, declared.training.resources
    asked: dict[str, Any] = {"cpus": wanted.cpus, "gpus": wanted.gpus, "custom": wanted.custom}
    try:
        owner = declared.owner.team if declared.owner else None
        lacks = client.room(**asked, framework=training.framework, owner=owner)
    except HeadraceError:
        return applied
    told = [f"training: {lacks}"] if lacks else []
    return {**applied, "warnings": [*(applied.get("warnings") or []), *told]}


def _applied(document: Document) -> str:
    """What happened, what may surprise, and what starts the next training."""
    told = [f"warning: {each}" for each in document.get("warnings") or []]
    starts = document.get("starts")
    return "\n  ".join([_changed(document), *told, *([str(starts)] if starts else [])])


def _changed(document: Document) -> str:
    changed: list[Any] = document.get("changed") or []
    if not changed:
        return f"{document['name']}: unchanged, revision {document['revision']}"
    if waits := document.get("waits"):
        return _waiting(document, waits)
    return f"{document['name']}: revision {document['revision']}; changed: {', '.join(map(str, changed))}"


def _waiting(document: Document, waits: Document) -> str:
    loosened = "; ".join(map(str, waits["loosens"]))
    return (
        f"{document['name']}: nothing changed yet, revision {document['revision']}; change {waits['change']} loosens "
        f"{loosened}, and waits for approval ({waits['approvals']['text']})"
    )


def exit_code(run: Document) -> int:
    """1 where a run came to nothing, or its version may not serve; 0 where it goes on, or people are asked."""
    return int(run["state"] in UNSUCCESSFUL)


def ran(run: Document) -> str:
    """What became of a run: why it failed or waits, its version, and what its author should look at."""
    parts = [f"run {run['run']}: {run['state']}"]
    parts += [f"version {run['version']}"] if run.get("version") else []
    parts += [str(because)] if (because := why(run)) else []
    return "\n  ".join(["; ".join(parts), *(f"warning: {each}" for each in run.get("warnings") or [])])


def why(run: Document) -> str | None:
    """Of a failed run the failure, not what it was asked for; of a waiting one what it waits for."""
    if run["state"] == "failed":
        failure = run.get("outcome") or {}
        return f"{failure.get('because', 'code')}: {failure.get('reason', 'no reason is known')}"
    if run["state"] == "rejected":
        return run.get("reason")
    return run.get("waits_detail")
