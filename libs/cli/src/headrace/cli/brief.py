"""What a person wants to know of a version first, on one screen."""

from collections.abc import Iterator, Mapping
from typing import Any

from headrace.cli.tables import cell
from headrace.contracts import Prepared
from headrace.contracts.preparation import told

Document = Mapping[str, Any]
MOST = 8  # lines of one list
HEAD = (
    "uri",
    "state",
    "reason",
    "aliases",
    "created",
    "decided_at",
    "expires_at",
    "author",
    "origin",
    "run",
    "digest",
    "rollout",
)
MADE = (
    "estimator",
    "framework",
    "params",
    "seed",
    "train_rows",
    "unlabelled_rows",
    "seconds",
)
LONGEST = 300  # characters of one value


def brief(version: Document) -> dict[str, Any]:
    """A version without what only programs read: signature, packages, rows learned from, files."""
    facts = version["registered"]
    dataset, lineage = facts.get("dataset") or {}, facts.get("lineage") or {}
    found = {name: version.get(name) for name in HEAD}
    found |= {name: lineage.get(name) for name in MADE}
    found |= {
        "target": facts.get("target"),
        "dataset": f"{dataset.get('name')} version {dataset.get('version')}",
        "features": _cut(", ".join(str(each.get("name", each)) for each in _mappings(facts.get("features")))),
        "preparation": _some(lineage.get("preparation") or [], _prepared, MOST // 2),
        "metrics": version["metrics"],
        "gates": _some(version["gates"], lambda gate: f"{_passed(gate)}: {gate.get('detail') or cell(gate)}"),
        "comparisons": _some(version["comparisons"], cell),
        "approvals": version["approvals"]["text"],
        "decisions": _some(version["decisions"], lambda each: f"{each['by']}: {each['decision']}, {each['comment']}"),
        "warnings": _some([*version.get("warnings", []), *(facts.get("warnings") or [])], str),
    }
    return {name: _short(value) for name, value in found.items() if value not in (None, "", [], {})}


def _prepared(block: Document) -> str:
    return told(Prepared.model_validate(block))


def _mappings(values: Any) -> Iterator[Document]:
    yield from (each if isinstance(each, Mapping) else {"name": each} for each in values or ())


def _some(values: Any, line: Any, most: int = MOST) -> list[str]:
    lines = [_cut(line(each)) for each in values[:most]]
    return [*lines, f"and {len(values) - most} more, in --json"] if len(values) > most else lines


def _short(value: Any) -> Any:
    """A mapping stays one where it is small."""
    if not isinstance(value, Mapping):
        return value
    shown = {key: _cut(cell(each)) if isinstance(each, (Mapping, list)) else each for key, each in value.items()}
    return shown if len(shown) <= MOST else _cut(cell(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... (whole in --json)"


def _passed(gate: Document) -> str:
    return "passed" if gate.get("passed") else "not passed"
