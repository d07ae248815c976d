"""What the suite found, as the table of the README: one line a fault, written anew after every test.

Each test's figures are kept in `figures.json` under the test's name, so that a run in pieces adds up, a test that runs
again replaces what it found before, and a run that is cut off leaves all that was measured until then.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
FIGURES, README = HERE / "figures.json", HERE / "README.md"
FRONT = HERE.parents[1] / "README.md"  # has the sum
PEERS = "the same load"  # what others lose is not in it
COLUMNS = ("fault", "trials", "kill points", "events", "lost", "doubled", "recovery p50 / p95 / max")
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
FROM, TO = "<!-- faults: summary -->", "<!-- faults: end of summary -->"


@dataclass
class Row:
    """One fault: how often it was tried, with how many events, and what came of it; recovery in seconds."""

    fault: str
    trials: int = 0
    points: list[str] = field(default_factory=list)  # fault points that a process died at
    points_of: int = 0
    events: int = 0
    lost: int = 0
    doubled: int = 0
    recovery: list[float] = field(default_factory=list)
    note: str = ""  # what else was measured

    def line(self) -> str:
        """As a line of the table."""
        points = f"{len(set(self.points))} of {self.points_of}" if self.points_of else ""
        name = f"{self.fault}: {self.note}" if self.note else self.fault
        cells = (name, f"{self.trials}", points, f"{self.events:,}", *self._counts(), self._recovery())
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
    """Rows by test and fault: those of earlier runs, and those of this one."""

    def __init__(self, figures: Path) -> None:
        self._figures = figures
        self.rows: dict[str, list[Row]] = {}
        self._begun = set[str]()
        if figures.is_file():
            kept = json.loads(figures.read_text())
            self.rows = {test: [Row(**row) for row in rows] for test, rows in kept.items()}

    def begin(self, test: str) -> None:
        """A test begins; what it found in an earlier run is forgotten when it finds something in this one."""
        self._test, self._fresh = test, test not in self._begun
        self._begun.add(test)

    def row(self, fault: str) -> Row:
        """The present test's row of a fault."""
        if self._fresh:
            self.rows[self._test], self._fresh = [], False
        mine = self.rows[self._test]
        found = next((row for row in mine if row.fault == fault), None)
        if found is None:
            mine.append(found := Row(fault))
        return found

    def table(self) -> str:
        """One line a fault, over all tests that came to their end; those that did not have failed."""
        return "\n".join([HEAD, *(row.line() for row in self._faults())])

    def summary(self) -> str:
        """All of it in one sentence."""
        ours = [row for row in self._faults() if not row.fault.startswith(PEERS)]
        whole = _sum("", ours)
        return (
            f"**{len(ours)} kinds of fault, {whole.trials} trials, {whole.events:,} events: "
            f"{whole.lost} lost, {whole.doubled} done twice.**"
        )

    def write(self, *, told: bool) -> None:
        """Keep the figures, and put table and sum into the READMEs between their marks where they are to be told."""
        self._figures.parent.mkdir(parents=True, exist_ok=True)
        kept = {test: [asdict(row) for row in rows] for test, rows in sorted(self.rows.items())}
        self._figures.write_text(json.dumps(kept, indent=1) + "\n")
        if told:
            _between(README, BEGIN, END, self.table())
            _between(FRONT, FROM, TO, self.summary())

    def _faults(self) -> list[Row]:
        faults: dict[str, list[Row]] = {}
        for row in (row for rows in self.rows.values() for row in rows if row.trials):
            faults.setdefault(row.fault, []).append(row)
        return [_sum(fault, rows) for fault, rows in sorted(faults.items())]


def told(file: Path, begin: str, end: str) -> str:
    """What a README says between two marks."""
    return file.read_text().partition(begin)[2].partition(end)[0].strip()


def _between(file: Path, begin: str, end: str, what: str) -> None:
    before, _, rest = file.read_text().partition(begin)
    file.write_text(f"{before}{begin}\n{what}\n{end}{rest.partition(end)[2]}")


def _sum(fault: str, rows: Iterable[Row]) -> Row:
    whole = Row(fault)
    for row in rows:
        whole.trials += row.trials
        whole.points += row.points
        whole.points_of = max(whole.points_of, row.points_of)
        whole.events += row.events
        whole.lost += row.lost
        whole.doubled += row.doubled
        whole.recovery += [round(each, 2) for each in row.recovery]
        whole.note = row.note or whole.note
    return whole


def _bounded(count: int, of: int) -> str:
    """A count; beside a zero the rate that can be ruled out with 95 % confidence, 3/n (the rule of three)."""
    return f"{count}" if count or not of else f"0 (< {3 / of:.1e})"
