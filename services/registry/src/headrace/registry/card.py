"""Model cards and lineage, made of recorded facts alone."""

from collections.abc import Sequence
from typing import Any

import yaml

from headrace.contracts import DatasetRef, Imported, Lineage, derive_id
from headrace.contracts.preparation import told
from headrace.registry.domain import IMPORTED, TRAINED, risk_of
from headrace.registry.tables import DecisionRow, ModelRow, SignalRow, VersionRow
from headrace.tasks import task_named

PRODUCER = "https://schemas.headrace.example"
_JOBS = {TRAINED: "train", IMPORTED: "import"}
RUN_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


def model_card(
    model: ModelRow, version: VersionRow, signals: Sequence[SignalRow], decisions: Sequence[DecisionRow]
) -> str:
    """A card with the sections and front matter of the Hugging Face template."""
    sections = [
        f"---\n{yaml.safe_dump(_front(model, version, signals), sort_keys=False)}---",
        f"# {model.name}, version {version.version}\n\n{_purpose(model)}",
        f"## Model Details\n\n{_details(model, version)}",
        f"## Uses\n\n{_purpose(model)} Anything else is out of scope.",
        f"## Bias, Risks, and Limitations\n\n{_risks(model, signals)}",
        f"## Training Details\n\n{_training(version)}",
        f"## Evaluation\n\n{_evaluation(version)}",
        f"## Approval\n\n{_approval(version, decisions)}",
        f"## Model Card Contact\n\n{model.declaration.get('owner', {}).get('contact') or 'nobody is named'}",
    ]
    return "\n\n".join(sections) + "\n"


def lineage(version: VersionRow) -> dict[str, Any]:
    """The version's making as an OpenLineage COMPLETE event: what is known of its data in, the model out.

    A version that was not trained here has an id of its own for the run, since the standard asks for one.
    """
    facts, artifact = version.facts, version.as_version.artifact
    run = version.run or derive_id(f"{version.model}/{version.version}", "registration", version.digest, 0)
    output = {"version": {"_producer": PRODUCER, "_schemaURL": RUN_EVENT, "datasetVersion": version.digest}}
    place = f"s3://{artifact.bucket}"
    return {
        "eventType": "COMPLETE",
        "eventTime": version.created.isoformat(),
        "producer": PRODUCER,
        "schemaURL": RUN_EVENT,
        "run": {"runId": run, "facets": {"headrace_version": _run_facet(version)}},
        "job": {"namespace": "headrace", "name": f"{_JOBS.get(facts.origin, facts.origin)}.{version.model}"},
        "inputs": _inputs(facts.lineage.dataset),
        "outputs": [{"namespace": place, "name": artifact.prefix, "facets": output}],
    }


def _inputs(dataset: DatasetRef | None) -> list[dict[str, Any]]:
    if dataset is None:
        return []
    source = {"version": {"_producer": PRODUCER, "_schemaURL": RUN_EVENT, "datasetVersion": str(dataset.version)}}
    return [{"namespace": "headrace", "name": dataset.name, "facets": source}]


def _run_facet(version: VersionRow) -> dict[str, Any]:
    lineage = version.facts.lineage
    made = {name: getattr(lineage, name) for name in ("params", "seed", "code_version", "packages")}
    made["dataset_digest"] = lineage.dataset.digest if lineage.dataset else None
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{PRODUCER}/events/version/registered.v1.json",
        "origin": version.facts.origin,
        **{name: value for name, value in made.items() if value is not None},
    }


def _front(model: ModelRow, version: VersionRow, signals: Sequence[SignalRow]) -> dict[str, Any]:
    results = [{"type": name, "value": round(value, 6)} for name, value in version.metrics.items()]
    facts = version.facts
    return {
        "model_name": model.name,
        "version": version.version,
        "digest": version.digest,
        "pipeline_tag": task_named(facts.task).pipeline_tag,
        "library_name": facts.lineage.framework or facts.origin,
        "datasets": [f"{facts.dataset.name}@{facts.dataset.version}"],
        "metrics": results,
        "risk_rating": risk_of(model.parsed(), [signal.kind for signal in signals]).rating,
        "intended_uses": model.declaration.get("purpose", ""),
    }


def _purpose(model: ModelRow) -> str:
    return model.declaration.get("purpose") or "No purpose is declared."


def _details(model: ModelRow, version: VersionRow) -> str:
    lineage = version.facts.lineage
    owner = model.declaration.get("owner", {}).get("team") or "nobody is named"
    rows = {
        "Owner": owner,
        "Origin": f"{version.facts.origin}, asked for by {version.author}: {lineage.reason}",
        "Estimator": lineage.estimator and f"`{lineage.estimator}`",
        "State": version.state,
        "Digest": f"`{version.digest}`",
        "Run": lineage.run and f"`{lineage.run}`",
        "Imported": lineage.imported and _imported(lineage.imported),
        "Code": lineage.code_version and f"`{lineage.code_version}`, Python {lineage.python}",
    }
    return "\n".join(f"- **{name}:** {value}" for name, value in rows.items() if value)


def _imported(imported: Imported) -> str:
    """From what, and how near it answers to the artifact's own library."""
    source = imported.source_name or imported.source.key
    named = f"`{source}` (format {imported.format}, sha256 `{imported.source.sha256[:16]}`)"
    told = f"{named}, import `{imported.import_id}`"
    made = f", made by {imported.producer}" if imported.producer else ""
    if imported.largest_difference is None:
        return told + made
    apart = f"{imported.largest_difference:.1g} on {imported.compared_rows} rows"
    return f"{told}{made}; differs from its own library by {apart} at most"


def _risks(model: ModelRow, signals: Sequence[SignalRow]) -> str:
    risk = risk_of(model.parsed(), [signal.kind for signal in signals])
    head = f"Risk {risk.rating}: probability {risk.probability:.2f} x impact {risk.impact:.2f} = {risk.score:.2f}."
    seen = "\n".join(f"- {signal.at.date()}: {signal.kind}" for signal in signals)
    return f"{head}\n\n{seen or 'Nothing was seen of it in service yet.'}"


def _training(version: VersionRow) -> str:
    facts, holdout = version.facts, version.facts.holdout
    columns = ", ".join(f"`{column.name}`" for column in facts.features)
    prepared = "".join(f"\n- {told(each)}" for each in facts.lineage.preparation or ())
    return (
        f"{_learned(facts.lineage)} It predicts `{facts.target}` from {columns}. It is judged on dataset "
        f"`{facts.dataset.name}` version {facts.dataset.version}, holdout by {holdout.by}: {holdout.rows:,} rows"
        + (f" from {holdout.boundary} on" if holdout.boundary else "")
        + "."
        + (f"\n\nThe columns were prepared for the estimator:\n{prepared}" if prepared else "")
    )


def _learned(lineage: Lineage) -> str:
    """What is known of how it was fitted."""
    dataset, imported = lineage.dataset, lineage.imported
    if imported is not None:
        return _claimed(imported)
    if dataset is None:
        return "It was not trained here, and what it learned from is not known."
    fitted = f"Dataset `{dataset.name}` version {dataset.version} (digest `{dataset.digest[:16]}`)"
    rows = "" if lineage.train_rows is None else f", {lineage.train_rows:,} rows"
    return f"{fitted}{rows}. Parameters `{lineage.params}`, seed {lineage.seed}."


def _claimed(imported: Imported) -> str:
    """What it has learned from is what somebody says; nothing here proves it."""
    if imported.claim == "unknown":
        return "It was not trained here, and what it learned from is not known."
    learned = "none of the rows that judge it" if imported.claim == "none" else f"dataset version {imported.claim}"
    return f"It was not trained here; {imported.claimed_by} says that it has learned from {learned}."


def _evaluation(version: VersionRow) -> str:
    metrics = "\n".join(f"- {name}: {value:.4f}" for name, value in version.metrics.items())
    gates = "\n".join(f"- {'met' if gate['passed'] else 'NOT met'}: {gate['detail']}" for gate in version.gates)
    return f"{metrics}\n\n{gates or 'No gates are declared.'}"


def _approval(version: VersionRow, decisions: Sequence[DecisionRow]) -> str:
    said = "\n".join(f"- {each.at.isoformat()}: {each.by}: {each.decision}. {each.comment or ''}" for each in decisions)
    return said or f"No person was asked; the version is {version.state}."
