"""What was tried and what was refused, counted; the table in README.md is made of it: `make denials`."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".headrace" / "denials"
README = Path(__file__).with_name("README.md")
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


def main() -> int:
    """Write the table into the README, and say which matrix was not run."""
    missing = [what for what in ORDER if not (FOLDER / f"{what.replace(' ', '-')}.json").is_file()]
    before, _, rest = README.read_text().partition(FIRST)
    README.write_text(f"{before}{FIRST}\n{table()}\n{LAST}{rest.partition(LAST)[2]}")
    print(table())
    if missing:
        print(f"not run here: {', '.join(missing)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
