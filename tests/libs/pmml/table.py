"""Collects what was compared with JPMML, and writes the table into libs/pmml/README.md."""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
README = ROOT / "libs/pmml/README.md"
BEGIN, END = "<!-- pmml: begin -->", "<!-- pmml: end -->"


def record(folder: Path, element: str, name: str, rows: int, difference: float, by: str) -> None:
    """Keep one comparison: a document of an element, how many rows, and what answered."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"element": element, "name": name, "rows": rows, "difference": difference, "by": by}
    with (folder / "compared.jsonl").open("a") as file:
        file.write(json.dumps(told) + "\n")


def table(compared: Iterable[Mapping[str, object]]) -> str:
    """One line an element."""
    groups: dict[str, list[Mapping[str, object]]] = defaultdict(list)
    for each in compared:
        groups[str(each["element"])].append(each)
    lines = ["| element | documents | by a graph | rows | largest difference |", "|---|---|---|---|---|"]
    for element, found in groups.items():
        graphs = sum(each["by"] == "onnx" for each in found)
        rows = sum(int(str(each["rows"])) for each in found)
        worst = max(float(str(each["difference"])) for each in found)
        lines.append(f"| {element} | {len(found)} | {graphs} | {rows:,} | {worst:.1g} |")
    return "\n".join(lines)


def write(readme: Path, text: str) -> None:
    """Put the table between its marks."""
    before, _, rest = readme.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    lines = (Path(sys.argv[1]) / "compared.jsonl").read_text().splitlines()
    write(README, table(json.loads(line) for line in lines))
