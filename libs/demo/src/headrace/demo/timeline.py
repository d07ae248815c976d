"""The stage of the story: its console, its clock, and the live timeline that a person follows."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Column, Table

from headrace.cli.event_log import Happening
from headrace.client.sdk import Document

QUIET = frozenset({"route.changed", "training.queued", "version.registered"})  # said by the events around them
LOUD = {
    "version.approved": "green",
    "rollout.completed": "green",
    "performance.degraded": "yellow",
    "drift.detected": "yellow",
    "request.training": "cyan",
    "alias.moved": "cyan",
    "training.failed": "red",
    "evaluation.failed": "red",
    "dataset.rejected": "red",
    "rollout.rolled_back": "red",
    "integrity.violated": "red",
}


class Timeline:
    """Prints each thing that happens as one line, with a progress bar of the month below."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.started = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("flights"))
        self._progress = Progress(*columns, console=console, transient=True)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def chapter(self, title: str) -> None:
        """A heading."""
        self.console.print(f"\n[bold]{escape(title)}[/bold]")

    def note(self, text: str, style: str = "") -> None:
        """One line at the present second of the story."""
        line = f"[dim]{self._clock()}[/dim]  {escape(text)}"
        self.console.print(f"[{style}]{line}[/{style}]" if style else line, highlight=False, soft_wrap=True)

    def tell(self, event: Happening, text: str) -> None:
        """An event, as its sentence."""
        if event.type not in QUIET:
            self.note(f"{event.type:<22} {text}", LOUD.get(event.type, ""))

    def progress(self, what: str, done: int, total: int) -> None:
        """How far the replay of a month is."""
        if self._task is None:
            self._task = self._progress.add_task(what, total=total)
        self._progress.update(self._task, description=what, completed=done, total=total)

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self.started)
        return f"{seconds // 60:02d}:{seconds % 60:02d}"


def show_tables(console: Console, summary: Document) -> None:
    """The tables at the end: months and versions."""
    drifted = Column("drifted columns", overflow="fold")  # a name is never cut
    months = Table("month", "version", "predictions", "truths", "roc_auc", "promised", "drift", drifted, box=None)
    for month in summary["months"]:
        months.add_row(*_month_cells(month))
    versions = Table("version", "state", "aliases", "holdout roc_auc", "against the champion of the time", box=None)
    for version in summary["versions"]:
        versions.add_row(*_version_cells(version))
    for title, table in (("Months", months), ("Versions", versions)):
        console.print(f"\n[bold]{title}[/bold]")
        console.print(table)


def show_checks(console: Console, summary: Document) -> None:
    """What had to hold, and whether it did."""
    console.print("\n[bold]What had to hold[/bold]")
    for check in summary["checks"]:
        mark = "[green]held  [/green]" if check["held"] else "[red]FAILED[/red]"
        console.print(f"{mark} {escape(check['check'])}: {escape(check['seen'])}", highlight=False, soft_wrap=True)


def _month_cells(month: Document) -> list[str]:
    share = month["drift_share"]
    return [
        month["month"],
        str(month["version"]),
        f"{month['predictions']:,}",
        f"{month['truths']:,}",
        _figure(month["metrics"].get("roc_auc")),
        _figure(month["reference"].get("roc_auc")),
        f"{share:.0%}" if share is not None else "",
        ", ".join(month["drifted"]),
    ]


def _version_cells(version: Document) -> list[str]:
    aliases = ", ".join(version["aliases"] or [])
    return [
        str(version["version"]),
        version["state"],
        aliases,
        _figure((version["metrics"] or {}).get("roc_auc")),
        "".join(f"{c['candidate']:.3f} against {c['champion']:.3f}" for c in version["comparisons"][:1]),
    ]


def _figure(value: float | None) -> str:
    return f"{value:.3f}" if value is not None else ""
