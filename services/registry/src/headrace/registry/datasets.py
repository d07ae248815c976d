"""What the registry knows of datasets, so that declarations can be held against their columns.

Pure: standard library and contracts only.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headrace.contracts import Column, ColumnFacts, Declaration, KnownDataset

FEW = 20  # values that are kept by name
Facts = Mapping[str, Any]


def merged_facts(before: Sequence[Facts], added: Iterable[ColumnFacts]) -> list[dict[str, Any]]:
    """What a dataset's columns hold after a part was added; different values at least, where they are many."""
    known = {each["name"]: each for each in before}
    return [_together(known.get(each.name), each) for each in added]


def _together(before: Facts | None, added: ColumnFacts) -> dict[str, Any]:
    facts = added.model_dump(mode="json", exclude_none=True)
    if before is None:
        return facts
    if "distinct" not in facts or "distinct" not in before:
        return {"name": added.name}
    values = _union(before.get("values"), facts.get("values"))
    if values is not None:
        return {"name": added.name, "distinct": len(values), **({"values": values} if len(values) <= FEW else {})}
    return {"name": added.name, "distinct": max(before["distinct"], facts["distinct"])}


def _union(one: Sequence[str] | None, other: Sequence[str] | None) -> list[str] | None:
    return None if one is None or other is None else sorted({*one, *other})


def known_dataset(name: str, version: int, columns: Sequence[Column], facts: Sequence[Facts]) -> KnownDataset:
    """The dataset as declarations are held against it."""
    return KnownDataset(
        name,
        {column.name: column.type for column in columns},
        version,
        {each["name"]: each.get("distinct") for each in facts},
        {each["name"]: each["values"] for each in facts if "values" in each},
    )


def what_starts(declared: Declaration, dataset: KnownDataset | None, versions: int) -> str:
    """What starts the next training of a model, in one sentence: nobody waits for what never comes."""
    name, data = declared.name, declared.data.dataset
    asked = f"`headrace train {name}` starts a run"
    if "new-data" not in declared.training.on:
        when = f", and so does the schedule {declared.retraining.every}" if declared.retraining.every else ""
        return f"new data start no run; {asked}{when}"
    if dataset is None or dataset.version is None:
        return f"the first run starts when data come: `headrace ingest {data} FILE`"
    if versions:
        return f"the next run starts with new data of {data}; {asked} at once"
    return f"the first run starts now, with version {dataset.version} of {data}"
