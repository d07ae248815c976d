"""Commands about stacks: the embedded one's up, down, status and logs; attach to one of containers."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from headrace.cli.compose import attach as fetch
from headrace.cli.readiness import UNWELL, readiness_of
from headrace.cli.session import Json, answer, progress_console, say, session
from headrace.cli.tables import table
from headrace.client.errors import HeadraceError
from headrace.local import PORT_BASE, Stack, StackError
from headrace.provision.orphans import Incomplete, age_of

Folder = Annotated[Path, typer.Option("--folder", help="Where the stack keeps its data.")]
Base = Annotated[int, typer.Option("--port-base", help="First of its ports.")]
FOLDER = Path(".headrace")
DEMO = Path("demo")  # the demo's stack lies inside, so that its story begins with nothing


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (up, down, status, logs, attach, orphans):
        app.command()(command)


def up(
    folder: Folder = FOLDER,
    port_base: Base = PORT_BASE,
    detach: Annotated[bool, typer.Option("--detach", help="Come back when it is ready; it runs on.")] = False,
    as_json: Json = False,
) -> None:
    """Start the embedded stack: broker, object store, Ray, six services and an inference server."""
    stack = Stack(folder, port_base)
    try:
        with progress_console.status("starting") as line:
            addresses = stack.up(progress=lambda phase: line.update(phase))
    except StackError as error:
        raise HeadraceError(str(error)) from error
    answer(addresses, as_json, lambda: _tell_addresses(addresses["services"]))
    if not detach:
        _stay(stack)


def down(folder: Folder = FOLDER, as_json: Json = False) -> None:
    """Stop the embedded stack; its data stay."""
    stopped = [str(each.layout.folder) for each in _stacks(folder) if each.down()]
    answer({"stopped": stopped}, as_json, lambda: say("stopped" if stopped else "nothing was running"))


def status(folder: Folder = FOLDER, as_json: Json = False) -> None:
    """Show every part of the running stack, and whether it is ready or degraded, and why not.

    Exit code 1 when nothing runs, or a part is not ready.
    """
    parts = [part for each in _stacks(folder) for part in each.status()]
    found = [{**asdict(part), **readiness} for part, readiness in zip(parts, readiness_of(parts), strict=True)]
    answer(found, as_json, lambda: _tell_parts(found))
    if not parts or any(each["state"] in UNWELL for each in found):
        raise typer.Exit(1)


def logs(
    ctx: typer.Context,
    part: Annotated[str, typer.Argument(help="A service, inference, nats, s3, ray or supervisor; or the id of a run.")],
    folder: Folder = FOLDER,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
) -> None:
    """Print the log of one part of the stack, or what the code of a run has printed."""
    if is_run(part):
        with session(ctx).client() as client:
            for text in client.logs(part, follow=follow):
                print(text, end="", flush=True)
        return
    try:
        for line in running_stack(folder).logs(part, follow=follow):
            print(line)
    except StackError as error:
        raise HeadraceError(str(error)) from error


def is_run(name: str) -> bool:
    """Whether a name is that of a run, which is a UUID; no part of a stack has such a name."""
    try:
        return str(UUID(name)) == name.lower()
    except ValueError:
        return False


def attach(
    project: Annotated[Path, typer.Option("--project", help="The folder of the compose file.")] = Path(),
    as_json: Json = False,
) -> None:
    """Fetch addresses and keys of the stack that runs as containers; every command finds them from then on."""
    file = fetch(project.resolve())
    addresses = json.loads(file.read_text())
    answer(addresses, as_json, lambda: _tell_addresses(addresses["services"]))


def orphans(
    days: Annotated[float, typer.Option("--days", help="Only objects of more than so many days; at least one.")] = 7,
    delete: Annotated[bool, typer.Option("--delete", help="Remove them.")] = False,
    folder: Folder = FOLDER,
    as_json: Json = False,
) -> None:
    """Show what lies in the embedded object store and no event speaks of: killed work leaves such objects behind."""
    try:
        with progress_console.status("reading every event"):
            found = running_stack(folder).orphans(age_of(days), delete=delete)
    except (StackError, Incomplete, ValueError) as error:
        raise HeadraceError(str(error)) from error
    answer(found, as_json, lambda: _tell_orphans(found, "removed" if delete else "found"))


def _tell_orphans(found: dict[str, Any], how: str) -> None:
    table(found["orphans"], ["bucket", "key", "size"], empty="no orphans")
    say(f"{len(found['orphans']):,} {how} ({found['size']:,} bytes); {found['kept']:,} are spoken of")


def _stacks(folder: Path) -> list[Stack]:
    return [Stack(each) for each in (folder, folder / DEMO) if each.is_dir()]


def running_stack(folder: Path) -> Stack:
    """The stack that runs, else the one of the folder."""
    return next((stack for stack in _stacks(folder) if stack.running()), Stack(folder))


def _stay(stack: Stack) -> None:
    say("running; Ctrl-C stops it")
    try:
        while stack.running():
            time.sleep(0.5)
    except KeyboardInterrupt:
        stack.down()
        return
    raise HeadraceError("the stack ended by itself; `headrace logs supervisor` says why")


def _tell_addresses(services: dict[str, str]) -> None:
    table([{"service": name, "url": url, "docs": f"{url}/docs"} for name, url in services.items()],
          ["service", "url", "docs"], empty="")  # fmt: skip


def _tell_parts(found: list[dict[str, Any]]) -> None:
    columns = ["name", "state", "pid", "restarts", "memory", "address"]
    rows = [{**each, "memory": f"{each['memory'] / 2**20:,.0f} MiB"} for each in found]
    table(rows, columns, empty="nothing runs here; start a stack with `headrace up`")
    for each in found:
        for kind in ("problems", "degraded"):
            for name, why in each[kind].items():
                say(f"{each['name']}: {'degraded: ' if kind == 'degraded' else ''}{name}: {why}")
