"""Reading `schemas/`: one document a file, and all of them as one bundle."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]


@dataclass(frozen=True)
class Sources:
    """The folder `schemas/` and where generated things go."""

    root: Path

    @property
    def schemas(self) -> Path:
        """The folder of the sources."""
        return self.root / "schemas"

    @property
    def package(self) -> Path:
        """The folder of headrace.contracts."""
        return self.root / "libs/contracts/src/headrace/contracts"

    def files(self) -> dict[Path, Schema]:
        """Every schema by its path relative to `schemas/`, in a fixed order."""
        found = sorted(p for p in self.schemas.rglob("*.json") if "examples" not in p.parts)
        return {path.relative_to(self.schemas): json.loads(path.read_text()) for path in found}

    def events(self) -> dict[str, Schema]:
        """Event schemas by type."""
        return {schema["x-type"]: schema for schema in self.files().values() if "x-type" in schema}

    def topology(self) -> Schema:
        """topology.yaml."""
        document: Schema = yaml.safe_load((self.schemas / "topology.yaml").read_text())
        return document


def find_sources(start: Path | None = None) -> Sources:
    """The sources of the checkout that this code, or `start`, lies in; raises FileNotFoundError outside one."""
    for folder in (start or Path(__file__)).resolve().parents:
        if (folder / "schemas" / "topology.yaml").is_file():
            return Sources(folder)
    raise FileNotFoundError("no schemas/topology.yaml above this folder; generation needs a checkout")


def bundle(sources: Sources) -> Schema:
    """One schema with every title as a definition, references rewritten to point inside it."""
    files = sources.files()
    titles = {path: schema["title"] for path, schema in files.items()}
    definitions: Schema = {}
    for path, schema in files.items():
        inner = schema.pop("$defs", {})
        for name, each in {schema["title"]: _open(schema, path, files), **inner}.items():
            definitions[name] = _strip(_rewritten(each, path, titles))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Wire", "$defs": definitions}


def _open(schema: Schema, path: Path, files: Mapping[Path, Schema]) -> Schema:
    """Of a document that its receiver judges as a whole (`x-open`) the model reads the key alone."""
    if not schema.get("x-open"):
        return schema
    key = schema["x-key"]
    document = files[Path(*_normal(path.parent / schema["$ref"]))]
    kept = {name: value for name, value in schema.items() if name != "$ref"}
    return kept | {"type": "object", "properties": {key: document["properties"][key]}, "required": [key]}


def _strip(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in {"$schema", "$id", "x-type", "x-key", "x-open"}}


def _rewritten(node: Any, path: Path, titles: Mapping[Path, str]) -> Any:
    """The same schema with each $ref pointing to a definition by its title."""
    if isinstance(node, list):
        return [_rewritten(each, path, titles) for each in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _rewritten(value, path, titles) for key, value in node.items()}
    if isinstance(node.get("$ref"), str):
        changed["$ref"] = f"#/$defs/{_title(node['$ref'], path, titles)}"
    return changed


def _title(ref: str, path: Path, titles: Mapping[Path, str]) -> str:
    file, _, inner = ref.partition("#/$defs/")
    if inner:
        return inner
    target = Path(*_normal(path.parent / file))
    return titles[target]


def _normal(path: Path) -> Iterator[str]:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    yield from parts
