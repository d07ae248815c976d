"""The house as it stands: every rule is derived from folders and files, so that a newcomer is judged at once."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPLICAS = ("inference",)  # the data plane: any number of copies, no database, nothing decided for others
SERVICES = sorted({path.parent.name for path in ROOT.glob("services/*/pyproject.toml")} - {*REPLICAS})
LIBS = sorted(path.parent.name for path in ROOT.glob("libs/*/pyproject.toml"))


@dataclass(frozen=True)
class Import:
    """One import statement: which module, in which file, on which line, and whether it runs when the file is read."""

    module: str
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line} imports {self.module}"


def sources(kind: str, name: str) -> list[Path]:
    """The Python files of a member, without what is generated and without migrations."""
    files = sorted((ROOT / kind / name / "src").rglob("*.py"))
    return [file for file in files if not {"generated", "migrations"} & set(file.parts)]


@cache
def imports(file: Path) -> tuple[Import, ...]:
    """Every import of a file, wherever it stands; each file is parsed once."""
    return tuple(_imports(file))


def _imports(file: Path) -> Iterator[Import]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, file, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from _from(node, file)


def _from(node: ast.ImportFrom, file: Path) -> Iterator[Import]:
    assert node.module is not None
    if node.module in {"headrace", "headrace.client"}:
        yield from (Import(f"{node.module}.{alias.name}", file, node.lineno) for alias in node.names)
    else:
        yield Import(node.module, file, node.lineno)
