"""The demo put together: a stack of its own, the story on it, the end of the story in figures."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from headrace.cli.compose import attach
from headrace.cli.event_log import EventLog
from headrace.client.addresses import Stack as Addresses
from headrace.client.addresses import read_stack
from headrace.client.errors import HeadraceError
from headrace.client.live import Listener
from headrace.client.sdk import Client, Document
from headrace.client.verify import verify
from headrace.contracts import load_yaml
from headrace.demo.checks import Evidence, check_all
from headrace.demo.meter import Meter
from headrace.demo.report import write_report
from headrace.demo.story import DECLARATION, Story
from headrace.demo.summary import summarise
from headrace.demo.timeline import Timeline, show_checks, show_tables
from headrace.local import Stack, StackError


@dataclass(frozen=True)
class Wish:
    """How the demo is to be played."""

    folder: Path  # its results, and the stack's own folder when it starts one
    port_base: int
    until: int  # last month of the year that is replayed
    keep: bool
    target: str  # embedded: a stack of its own; compose: the containers that run from this folder's compose file


def play(wish: Wish, console: Console) -> Document:
    """Play the story and write summary.json and report.html; returns the summary, whose `held` says whether all held.

    A step that does not hold ends the story early; the summary and the report then tell of what was seen until there.
    """
    wish.folder.mkdir(parents=True, exist_ok=True)
    if wish.target == "compose":
        return _play_on(_untold(read_stack(attach(Path.cwd()))), [], wish, console)
    stack = _fresh(wish)
    with console.status("starting the stack") as line:
        try:
            stack.up(progress=line.update)
        except StackError as error:
            raise HeadraceError(str(error)) from error
    try:
        return _play_on(_addresses(stack), [stack.supervisor_pid() or 0], wish, console)
    finally:
        if not wish.keep:
            with console.status("stopping the stack"):
                stack.down()


def _play_on(addresses: Addresses, roots: list[int], wish: Wish, console: Console) -> Document:
    started = time.monotonic()
    timeline = Timeline(console)
    event_log = EventLog(timeline.tell)
    with Client(addresses) as client, Client(addresses, sampled=False) as traffic:
        story = Story(
            client,
            traffic,
            event_log,
            verify=lambda: verify(client.http),
            progress=timeline.progress,
            chapter=timeline.chapter,
        )
        with Meter(roots) as meter, Listener(addresses, event_log.add), timeline:
            failure = _told(story, wish.until)
    evidence = Evidence(story.outcome, event_log, story.replay.tally)
    summary = summarise(evidence, check_all(evidence), seconds=time.monotonic() - started, peak=meter.peak)
    if failure is not None:
        summary |= {"held": False, "failure": failure}
    summary["trace_id"] = client.http.trace_id
    _write(summary, story, wish.folder)
    _show(summary, wish, console)
    return summary


def _untold(addresses: Addresses) -> Addresses:
    """The same stack, on which the story has not been played: it begins with nothing."""
    with Client(addresses) as client:
        if load_yaml(DECLARATION.read_text())["name"] in [model["name"] for model in client.models()]:
            raise HeadraceError("the story was played here before; `docker compose down -v` forgets everything")
    return addresses


def _told(story: Story, until: int) -> str | None:
    """Play; why it ended early, where it did."""
    try:
        story.play(until)
    except HeadraceError as error:
        return str(error)
    return None


def _write(summary: Document, story: Story, folder: Path) -> None:
    (folder / "summary.json").write_text(json.dumps(summary, indent=2, default=str) + "\n")
    write_report(summary, story.declaration, folder / "report.html")


def _show(summary: Document, wish: Wish, console: Console) -> None:
    show_tables(console, summary)
    show_checks(console, summary)
    if summary.get("failure"):
        console.print(f"\n[red]The story ended early:[/red] {summary['failure']}", highlight=False, soft_wrap=True)
    figures = f"{summary['seconds']:.0f} s, {summary['event_count']:,} events"
    memory = f", {summary['peak_memory_bytes'] / 1e9:.1f} GB at most" if summary["peak_memory_bytes"] else ""
    console.print(f"\n{figures}{memory}. Report: {wish.folder / 'report.html'}", highlight=False, soft_wrap=True)


def _fresh(wish: Wish) -> Stack:
    """A stack that begins with nothing: what an earlier demo left is removed."""
    stack = Stack(wish.folder, wish.port_base)
    if stack.running():
        raise HeadraceError("a demo's stack still runs; stop it with `headrace down`")
    stack.sweep()
    for old in ("data", "logs", "nats", "secrets", "keys"):
        shutil.rmtree(wish.folder / old, ignore_errors=True)
    return stack


def _addresses(stack: Stack) -> Addresses:
    found = stack.addresses()
    key = Path(found["key_file"]).read_text().strip()
    nats = found["nats"]
    log_key = Path(found["log_key_file"]).read_text().strip()
    return Addresses(found["services"], key, nats["url"], Path(nats["seed_file"]), log_key=log_key)
