"""`headrace reproduce`: make a version again from what is recorded of it, and see whether the same comes of it."""

from typing import Annotated

import typer

from headrace.cli.models import Uri, exit_code, progress, ran
from headrace.cli.session import Json, Timeout, Wait, answer, progress_console, say, session
from headrace.cli.tables import table
from headrace.client.sdk import Document
from headrace.client.uris import ModelUri

Tolerance = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="How far a metric may be from the recorded one, as a share of it, where the framework promises no equal "
        "files; 0.01 where it is not given.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(reproduce)


def reproduce(
    ctx: typer.Context,
    uri: Uri,
    tolerance: Tolerance = None,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept with the run.")] = None,
    wait: Wait = False,
    timeout: Timeout = 1800,
    as_json: Json = False,
) -> None:
    """Make a version again: its data, code, parameters and seed, with the packages that are installed now.

    The run makes no version. With --wait it is compared with what is recorded, part by part; then exit code 1 where it
    is not reproduced, or failed.
    """
    with session(ctx).client() as client:
        run = client.reproduce(ModelUri.parse(uri), tolerance=tolerance, reason=reason)
        if wait:
            with progress_console.status(f"run {run['run']}") as status:
                run = client.wait_for_run(run["run"], timeout=timeout, seen=lambda at: status.update(progress(at)))
    answer(run, as_json, lambda: _tell(uri, run))
    if wait and not (run["reproduction"] or {}).get("reproduced"):
        raise typer.Exit(1)


def _tell(uri: str, run: Document) -> None:
    found = run.get("reproduction") or {}
    if found.get("reproduced") is None:
        goes_on = "" if exit_code(run) else f"\n  `headrace runs show {run['run']}` tells what comes of it"
        say(ran(run) + goes_on)
        return
    rows = [{**each, "result": "same" if each["same"] else "differs"} for each in found["parts"]]
    table(rows, ["part", "result", "recorded", "now"], empty="nothing is recorded")
    say(verdict(uri, found))


def verdict(uri: str, found: Document) -> str:
    """Whether a version is reproduced, by what, and why not."""
    if not found["reproduced"]:
        return f"{uri} is not reproduced; the likely reason: {found['because']}"
    if found["by"] == "artifact":
        return f"{uri} is reproduced: the same files came of it"
    return f"{uri} is reproduced: other files, as its framework may give, and metrics within {found['tolerance']:.3g}"
