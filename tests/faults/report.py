"""What the suite found, as the table of the README: one line a fault."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

COLUMNS = ("fault", "trials", "kill points", "events", "lost", "doubled", "recovery p50 / p95 / max")
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


@dataclass
class Row:
    """One fault: how often it was tried, with how many events, and what came of it; recovery in seconds."""

    fault: str
    trials: int = 0
    points: str = ""
    events: int = 0
    lost: int = 0
    doubled: int = 0
    recovery: list[float] = field(default_factory=list)

    def line(self) -> str:
        """As a line of the table."""
        cells = (self.fault, f"{self.trials}", self.points, f"{self.events:,}", *self._counts(), self._recovery())
        return "| " + " | ".join(cells) + " |"

    def _counts(self) -> tuple[str, str]:
        return _bounded(self.lost, self.events), _bounded(self.doubled, self.events)

    def _recovery(self) -> str:
        if not self.recovery:
            return ""
        ordered = sorted(self.recovery)
        p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        return f"{ordered[len(ordered) // 2]:.1f} / {p95:.1f} / {ordered[-1]:.1f} s"


class Report:
    """Rows by fault, in the order in which they were first tried."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}

    def row(self, fault: str) -> Row:
        """The row of a fault."""
        return self.rows.setdefault(fault, Row(fault))

    def table(self) -> str:
        """All rows."""
        return "\n".join([HEAD, *(row.line() for row in self.rows.values())])

    def write(self, folder: Path, readme: Path | None) -> None:
        """Keep the figures, and put the table into a README between its marks."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "faults.json").write_text(json.dumps([asdict(row) for row in self.rows.values()], indent=2))
        (folder / "faults.md").write_text(self.table() + "\n")
        if readme is not None and readme.is_file():
            text = readme.read_text()
            before, _, rest = text.partition(BEGIN)
            _, _, after = rest.partition(END)
            readme.write_text(f"{before}{BEGIN}\n{self.table()}\n{END}{after}")


def _bounded(count: int, of: int) -> str:
    """A count; beside a zero the rate that can be ruled out with 95 % confidence, 3/n (the rule of three)."""
    return f"{count}" if count or not of else f"0 (< {3 / of:.1e})"
