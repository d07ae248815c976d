"""Reading `schemas/`: one document a file, and all of them as one bundle."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]
_VERSION = re.compile(r"\.?v([0-9]+)\.json$")


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

    def classes(self) -> dict[str, str]:
        """The class of each event by its type: the title for the newest version, the title and V1 for an older one."""
        files = self.files()
        names = class_names(files)
        return {schema["x-type"]: names[path] for path, schema in files.items() if "x-type" in schema}

    def newest(self) -> dict[str, Schema]:
        """Of each event the newest schema, by type: what writers say."""
        files = self.files()
        plain = {path for path, name in class_names(files).items() if name == files[path]["title"]}
        return {schema["x-type"]: schema for path, schema in files.items() if "x-type" in schema and path in plain}

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
    titles = class_names(files)
    suffixes = {path: titles[path].removeprefix(schema["title"]) for path, schema in files.items()}
    names = Names(titles, suffixes)
    definitions: Schema = {}
    for path, schema in files.items():
        inner = {f"{name}{suffixes[path]}": each for name, each in schema.pop("$defs", {}).items()}
        for name, each in {titles[path]: _open(schema, path, files), **inner}.items():
            definitions[name] = _strip(_rewritten(each, path, names))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Wire", "$defs": definitions}


def class_names(files: Mapping[Path, Schema]) -> dict[Path, str]:
    """What the class of each schema is called; of several versions the newest has the plain title."""
    newest = {_unversioned(path): version_of(path) for path in sorted(files, key=version_of)}

    def name(path: Path, title: str) -> str:
        return title if newest[_unversioned(path)] == version_of(path) else f"{title}V{version_of(path)}"

    return {path: name(path, schema["title"]) for path, schema in files.items()}


def version_of(path: Path) -> int:
    """The version that the name of a file ends with: training/completed.v1.json, model/v1.json."""
    match = _VERSION.search(path.name)
    if match is None:
        raise ValueError(f"{path}: the name of a schema ends with its version, such as .v1.json")
    return int(match[1])


def _unversioned(path: Path) -> Path:
    return path.with_name(_VERSION.sub("", path.name) or "schema")


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


@dataclass(frozen=True)
class Names:
    """What definitions are called: each schema by its title, and what the names of its own definitions end with."""

    titles: Mapping[Path, str]
    suffixes: Mapping[Path, str]

    def of(self, ref: str, path: Path) -> str:
        """The definition that a reference in the file at `path` points to."""
        file, _, inner = ref.partition("#/$defs/")
        target = Path(*_normal(path.parent / file)) if file else path
        return f"{inner}{self.suffixes[target]}" if inner else self.titles[target]


def _rewritten(node: Any, path: Path, names: Names) -> Any:
    """The same schema with each $ref pointing to a definition by its title."""
    if isinstance(node, list):
        return [_rewritten(each, path, names) for each in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _rewritten(value, path, names) for key, value in node.items()}
    if isinstance(node.get("$ref"), str):
        changed["$ref"] = f"#/$defs/{names.of(node['$ref'], path)}"
    return changed


def _normal(path: Path) -> Iterator[str]:
    parts: list[str] = []
    for part in path.parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    yield from parts
