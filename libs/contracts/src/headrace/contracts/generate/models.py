"""Python models from the schemas, by datamodel-code-generator; then each event learns its type and key."""

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from headrace.contracts.generate.sources import Schema, Sources, bundle

HEADER = '"""Generated from schemas/ by `make schemas`; changes here are lost."""\n'
REWRITES = [
    (r"\A(#[^\n]*\n)+", ""),
    (r"^class Wire\(.*?\n\n\n", ""),
    (
        r"^from headrace.contracts.base import Model$",
        "from headrace.contracts.base import Event, Model, OpenEvent, Timestamp",
    ),
    (r"^from pydantic import [^\n]*$", "from pydantic import Field"),
    (r"^from typing import Annotated, Any, Literal$", "from typing import Annotated, Any, ClassVar, Literal"),
    (r"\bAwareDatetime\b", "Timestamp"),
    # a default list needs no validation: the schema's own check does it
    (r"Annotated\[(list\[[^\n]*\]), Field\(validate_default=True\)\] = \[", r"\1 = ["),
    # a name or a number: a type checker reads no calls, and the catalogue that owns the names says more than a pattern
    (r"\bconstr\(\s*pattern=r\"[^\"]*\"\s*\)", "str"),
    # strictness is the base class's
    (r"\n    model_config = ConfigDict\(\n[^)]*\)\n", "\n"),
    # a default object is its own class with its defaults
    (r"Annotated\[(\w+), Field\(validate_default=True\)\] = \{\}", r"\1 = Field(default_factory=\1)"),
    # a root model that only wraps another class is that class
    (r"^class (\w+)\(RootModel\[(\w+)\]\):\n    root: [^\n]*\n", r"class \1(\2):\n"),
]
# the annotation of the root ends where the next class begins
_SCALAR_ROOT = re.compile(
    r"^class (\w+)\(RootModel\[(?:str|int|float|bool)\]\):\n"
    r'(?:    """\n.*?\n    """\n\n?)?    root: (.*?)(?:\n    """\n(?:(?!""").)*""")?\n(?:\n\n(?=class )|\Z)',
    re.MULTILINE | re.DOTALL,
)
OPTIONS = [
    "--input-file-type=jsonschema",
    "--output-model-type=pydantic_v2.BaseModel",
    "--base-class=headrace.contracts.base.Model",
    "--target-python-version=3.11",
    "--use-standard-collections",
    "--use-union-operator",
    "--use-annotated",
    "--enum-field-as-literal=all",
    "--use-schema-description",
    "--use-field-description",
    "--collapse-root-models",
    "--disable-timestamp",
    "--use-default-kwarg",
    "--use-double-quotes",
    "--field-constraints",
    "--strict-nullable",
    "--formatters",
    "ruff-format",
]


def render_models(sources: Sources) -> str:
    """The text of generated/models.py."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "wire.json", Path(folder) / "models.py"
        source.write_text(json.dumps(bundle(sources)))
        command = [
            sys.executable,
            "-m",
            "datamodel_code_generator",
            "--input",
            str(source),
            "--output",
            str(target),
            *OPTIONS,
        ]
        subprocess.run(command, check=True)
        return _with_events(target.read_text(), sources)


def _with_events(text: str, sources: Sources) -> str:
    """Timestamps as our own alias; event classes with TYPE and KEY; the catalogue at the end."""
    text = _without_scalar_roots(text)
    for pattern, replacement in REWRITES:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE | re.DOTALL)
    classes = sources.classes()
    for kind, schema in sources.events().items():
        text = _as_event(text, kind, schema, classes[kind])
    names = "".join(f'    "{kind}": {name},\n' for kind, name in sorted(classes.items()))
    return f"{HEADER}\n{text.strip()}\n\n\nEVENTS: dict[str, type[Event]] = {{\n{names}}}\n"


def _without_scalar_roots(text: str) -> str:
    """Constrained texts and numbers in lists as the constrained types themselves; the generator makes classes."""
    for match in list(_SCALAR_ROOT.finditer(text)):
        root = match[2].strip().replace("\\", r"\\")
        text = re.sub(rf"\b{match[1]}\b", root, text.replace(match[0], ""))
    return text


def _as_event(text: str, kind: str, schema: Schema, title: str) -> str:
    key = schema["x-key"]
    match = re.search(rf'class {title}\((\w+)\):\n(    """\n.*?\n    """\n)', text, re.DOTALL)
    if match is None:
        raise ValueError(f"no class {title} was generated for {kind}")
    base = "OpenEvent" if schema.get("x-open") else "Event"
    bases = base if match[1] == "Model" else f"{match[1]}, {base}"
    constants = f'\n    TYPE: ClassVar[str] = "{kind}"\n    KEY: ClassVar[str] = "{key}"\n'
    return text[: match.start()] + f"class {title}({bases}):\n{match[2]}{constants}" + text[match.end() :]
