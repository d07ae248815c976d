"""What every command shares: the stack it talks to, and how it answers people and programs."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from headrace.client.addresses import Stack, find_stack
from headrace.client.errors import HeadraceError, Rejected
from headrace.client.sdk import Client, Document

Json = Annotated[bool, typer.Option("--json", help="Answer with one JSON document on standard output.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for what follows by events.")]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds to wait before giving up (exit code 3).")]

Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest.")]
PAGE = 100  # items that one request fetches

console = Console()
progress_console = Console(stderr=True)  # progress never mixes with the answer


@dataclass(frozen=True)
class Session:
    """Which stack the person means, and who is asking."""

    url: str | None
    key: str | None

    def stack(self) -> Stack:
        """The stack; raises NoStack with what to do."""
        return find_stack(self.url, self.key)

    def client(self) -> Client:
        """A client of the stack, to be used in a `with` block."""
        return Client(self.stack())


def session(ctx: typer.Context) -> Session:
    """The session of a running command."""
    found = ctx.find_object(Session)
    assert found is not None
    return found


def listed(client: Client, service: str, path: str, limit: int, **wanted: Any) -> list[Document]:
    """The first `limit` items of a listing; what is wanted as None is not asked for."""
    params = {name: value for name, value in wanted.items() if value is not None}
    return list(islice(client.http.pages(service, path, {**params, "limit": min(limit, PAGE)}), limit))


def answer(document: Any, as_json: bool, people: Callable[[], object]) -> None:
    """Print `document` as JSON, or let `people` print it for people."""
    if as_json:
        print(json.dumps(document, indent=2, default=str, ensure_ascii=False))
    else:
        people()


def say(text: str) -> None:
    """One line for people; what a document holds is never read as markup."""
    console.print(text, highlight=False, soft_wrap=True)


def fail(error: HeadraceError, code: int, as_json: bool) -> int:
    """Say what went wrong, in the form that was asked for; returns `code`."""
    if as_json:
        print(json.dumps(problem(error), indent=2, default=str))
    else:
        progress_console.print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        for violation in getattr(error, "violations", ()):
            progress_console.print(
                f"  - {escape(str(violation.get('message', violation)))}", highlight=False, soft_wrap=True
            )
    sys.stdout.flush()
    return code


def problem(error: HeadraceError) -> dict[str, Any]:
    """An error as the JSON document that programs read."""
    document: dict[str, Any] = {"error": str(error), "kind": type(error).__name__}
    if isinstance(error, Rejected):
        document |= {"status": error.status, "violations": error.violations}
    return document
