"""The list of fault points, read from the source itself, so that coverage is a number and no list can be stale."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import headrace


@dataclass(frozen=True)
class Place:
    """One call of `point`; `member` is the library or service that it belongs to."""

    name: str
    member: str
    file: Path
    line: int


def places() -> list[Place]:
    """Every fault point of every installed part of Headrace, in the order of names."""
    files = (file for folder in headrace.__path__ for file in sorted(Path(folder).rglob("*.py")))
    return sorted((place for file in files for place in _in(file)), key=lambda place: (place.name, place.line))


def _in(file: Path) -> Iterator[Place]:
    source = file.read_text(encoding="utf-8")
    if "point(" not in source:
        return
    member = file.parts[len(file.parts) - 1 - file.parts[::-1].index("headrace") + 1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "point":
            yield Place(_literal(node, file), member, file, node.lineno)


def _literal(call: ast.Call, file: Path) -> str:
    """Names are written out, so that the list can be read from the source."""
    (argument,) = call.args
    if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
        raise ValueError(f"{file}:{call.lineno}: a fault point's name is written out as text")
    return argument.value
