"""What was tried and what was refused, counted; the table in README.md is made of it: `make denials`."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".headrace" / "denials"
README = Path(__file__).with_name("README.md")
REASONS = FOLDER / "reasons" / "bus.json"
WHY_FIRST, WHY_LAST = "<!-- reasons: begin -->", "<!-- reasons: end -->"
FIRST, LAST = "<!-- denials: begin -->", "<!-- denials: end -->"
ORDER = (
    "bus", "strangers at the bus", "objects on seaweedfs", "objects on minio", "databases", "endpoints", "tokens",
)  # fmt: skip
COLUMNS = ("what", "identities", "resources", "tried", "refused", "granted", "wrong")


@dataclass(frozen=True)
class Tally:
    """One matrix: every identity against every resource. `wrong` counts what was refused or granted unduly."""

    what: str
    identities: int
    resources: int
    tried: int
    refused: int
    wrong: int = 0

    @property
    def granted(self) -> int:
        """What the identity may."""
        return self.tried - self.refused

    def write(self) -> None:
        """Keep it for the table."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**asdict(self), "granted": self.granted}, indent=2)
        (FOLDER / f"{self.what.replace(' ', '-')}.json").write_text(text + "\n")


def table() -> str:
    """All tallies as Markdown."""
    rows = [json.loads(file.read_text()) for file in FOLDER.glob("*.json")]
    rows.sort(key=lambda row: ORDER.index(row["what"]))
    lines = [" | ".join(str(row[name]) for name in COLUMNS) for row in rows]
    total = {name: sum(row[name] for row in rows) for name in COLUMNS[3:]}
    lines.append(" | ".join(["all", "", "", *(f"{total[name]}" for name in COLUMNS[3:])]))
    return "\n".join(
        ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|", *(f"| {line} |" for line in lines)]
    )


def write_reasons(reasons: Mapping[tuple[str, str], int]) -> None:
    """Keep why rows of the bus were granted, and to whom."""
    rows = [{"why": why, "who": who, "rows": count} for (why, who), count in reasons.items()]
    REASONS.parent.mkdir(parents=True, exist_ok=True)
    REASONS.write_text(json.dumps(rows, indent=2) + "\n")


def reasons_table() -> str:
    """Every granted row of the bus: how many of a reason, and whose."""
    whose: dict[str, list[str]] = {}
    for row in json.loads(REASONS.read_text()):
        whose.setdefault(row["why"], []).append(f"{row['who']} {row['rows']}")
    lines = [f"| {why} | {', '.join(who)} |" for why, who in whose.items()]
    return "\n".join(["| because it | identity and rows |", "|---|---|", *lines])


def main() -> int:
    """Write the table into the README, and say which matrix was not run."""
    missing = [what for what in ORDER if not (FOLDER / f"{what.replace(' ', '-')}.json").is_file()]
    _between(FIRST, LAST, table())
    if REASONS.is_file():
        _between(WHY_FIRST, WHY_LAST, reasons_table())
    print(table())
    if missing:
        print(f"not run here: {', '.join(missing)}")
    return 0


def _between(first: str, last: str, text: str) -> None:
    before, _, rest = README.read_text().partition(first)
    README.write_text(f"{before}{first}\n{text}\n{last}{rest.partition(last)[2]}")


if __name__ == "__main__":
    sys.exit(main())
