"""Write what was found into the table of README.md: `make fuzz`."""

import json
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
REPORT = HERE.parents[1] / ".headrace" / "fuzz"
FIRST, LAST = "<!-- fuzz: begin -->", "<!-- fuzz: end -->"
COLUMNS = ("operations", "cases", "2xx", "4xx", "5xx", "failures")


def table() -> str:
    """A row a service, and their sum."""
    rows = {file.stem: _row(json.loads(file.read_text())) for file in sorted(REPORT.glob("*.json"))}
    rows["all"] = dict(sum((Counter(row) for row in rows.values()), Counter()))
    lines = [" | ".join([name, *(str(row.get(each, 0)) for each in COLUMNS)]) for name, row in rows.items()]
    head = ["| service | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    return "\n".join([*head, *(f"| {line} |" for line in lines)])


def _row(found: dict[str, object]) -> dict[str, int]:
    answers = found.pop("answers")
    assert isinstance(answers, dict)
    return {**found, **answers}  # type: ignore[dict-item]


if __name__ == "__main__":
    readme = HERE / "README.md"
    before, _, rest = readme.read_text().partition(FIRST)
    readme.write_text(f"{before}{FIRST}\n{table()}\n{LAST}{rest.partition(LAST)[2]}")
    print(table())
