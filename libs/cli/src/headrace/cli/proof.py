"""Commands that prove: trace one prediction, verify the whole log."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.session import Json, answer, progress_console, say, session
from headrace.cli.tables import table
from headrace.client.sdk import Document


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (trace, verify):
        app.command()(command)


def trace(
    ctx: typer.Context,
    prediction_id: Annotated[str, typer.Argument(help="As the answer to the request gave it; ID:ROW for one row.")],
    as_json: Json = False,
) -> None:
    """Show the chain behind one prediction; exit code 1 when a link is missing."""
    with session(ctx).client() as client:
        found = client.trace(prediction_id)
    answer(found, as_json, lambda: _tell_trace(found))
    if found.get("missing"):
        raise typer.Exit(1)


def verify(
    ctx: typer.Context,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            help="The log's verifying key, as its owner gave it; else HEADRACE_LOG_KEY, "
            "else the one beside the running stack. The one that the service shows is never believed.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that the audit log is whole and untampered; exit code 1 when it is not.

    Every entry and every message is downloaded, and the tree is computed again on this machine. The log must continue
    the checkpoints that were published as events, and the one that was verified here the last time.
    """
    from headrace.client.verify import verify as verify_log

    key = key_file.read_text() if key_file else None
    with session(ctx).client() as client, progress_console.status("reading the log"):
        verdict = verify_log(client.http, key)
    answer(verdict, as_json, lambda: _tell_verdict(verdict))
    if not verdict["whole"]:
        raise typer.Exit(1)


def _tell_trace(found: Document) -> None:
    for name, text in chain_of(found):
        say(f"{name:<11} {text}")
    say("")
    table(map(_step, found.get("events") or []), ["entry", "time", "event", "of", "who"], empty="no events")
    for link in found.get("missing") or []:
        say(f"missing: {link}")


def chain_of(found: Document) -> Iterator[tuple[str, str]]:
    """From the request back to the files: a name and a sentence a link, as far as the trace goes."""
    asked = found.get("prediction")
    if asked:
        yield "prediction", f"{asked['key']}, asked by {asked.get('authid') or 'nobody known'} at {asked['time']}"
    yield "model", f"models:/{found['model']}/{found['version']}, digest {found.get('digest') or 'unknown'}"
    if found.get("run") or not found.get("origin"):
        yield "run", str(found.get("run") or "unknown")
    else:
        yield "origin", str(found["origin"])
    dataset = found.get("dataset") or {}
    yield "dataset", f"{dataset.get('name', 'unknown')} version {dataset.get('version', '?')}"
    sources = found.get("sources") or []
    if (more := found.get("files", 0) - len(sources)) > 0:
        yield "source files", f"{more:,} older ones: `headrace datasets parts {dataset.get('name')}` lists all"
    for source in sources:
        named = source.get("source_name") or source["key"]
        yield "source file", f"{named}, {source.get('rows', 0):,} rows, sha256 {source['sha256']}"


def _step(event: Document) -> Document:
    kind = event["type"].removeprefix("headrace.").rsplit(".", 1)[0]
    return {
        "entry": event["index"],
        "time": event["time"],
        "event": kind,
        "of": event["key"],
        "who": event.get("authid") or event["source"],
    }


def _tell_verdict(verdict: Document) -> None:
    if verdict["whole"]:
        say(f"whole and untampered: {verdict['entries']:,} entries, root {verdict['root']}")
        for where, count in verdict["compared"].items():
            say(f"compared with checkpoints: {where}: {count}")
        return
    table(verdict["findings"], ["what", "where", "expected", "found"], empty="")
