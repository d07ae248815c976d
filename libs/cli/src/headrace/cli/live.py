"""Commands about the bus itself: watch what happens, publish a request."""

import asyncio
import json
from typing import Annotated, Any

import typer

from headrace.cli.event_log import sentence_of
from headrace.cli.session import Json, answer, console, say, session
from headrace.client.errors import HeadraceError


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (watch, publish):
        app.command()(command)


def watch(
    ctx: typer.Context,
    patterns: Annotated[list[str] | None, typer.Argument(help="Subjects, such as 'headrace.training.>'.")] = None,
    as_json: Json = False,
) -> None:
    """Show events as they happen, one line each; Ctrl-C ends it. With --json each line is one CloudEvent."""
    from headrace.client import live  # the bus takes a second to import

    stack = session(ctx).stack()
    tell = _as_json if as_json else _as_line
    asyncio.run(live.watch(stack, tell, patterns=tuple(patterns or ())))


def publish(
    ctx: typer.Context,
    subject: Annotated[str, typer.Argument(help="Such as headrace.request.training.flights-delay.")],
    payload: Annotated[str, typer.Argument(metavar="JSON", help="The request's data, or a whole CloudEvent.")],
    as_json: Json = False,
) -> None:
    """Publish a request; a service answers it by events, or with `request.refused`."""
    from headrace.client import live

    try:
        json.loads(payload)
    except ValueError as error:
        raise HeadraceError(f"not JSON: {error}") from error
    ack = asyncio.run(live.publish(session(ctx).stack(), subject, payload.encode()))
    stored = {"stream": ack.stream, "seq": ack.seq, "duplicate": ack.duplicate}
    answer(stored, as_json, lambda: say(f"stored as message {ack.seq} of {ack.stream}"))


def _as_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, separators=(",", ":"), ensure_ascii=False), flush=True)


def _as_line(document: dict[str, Any]) -> None:
    kind = document["type"].removeprefix("headrace.").rsplit(".", 1)[0]
    when = str(document.get("time", ""))[11:19]
    text = sentence_of(kind, document["data"])
    console.print(f"{when:<8}  {kind:<22} {document.get('subject', ''):<20} {text}", markup=False, highlight=False)
