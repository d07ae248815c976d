"""Model cards and lineage, made of recorded facts alone."""

from collections.abc import Sequence
from typing import Any

import yaml

from headrace.registry.domain import risk_of
from headrace.registry.tables import DecisionRow, ModelRow, SignalRow, VersionRow

PRODUCER = "https://schemas.headrace.example"
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
    """The training run as an OpenLineage COMPLETE event: data in, model out."""
    trained = version.training
    dataset, artifact = trained.dataset, trained.artifact
    source = {"version": {"_producer": PRODUCER, "_schemaURL": RUN_EVENT, "datasetVersion": str(dataset.version)}}
    output = {"version": {"_producer": PRODUCER, "_schemaURL": RUN_EVENT, "datasetVersion": version.digest}}
    place = f"s3://{artifact.bucket}"
    return {
        "eventType": "COMPLETE",
        "eventTime": version.created.isoformat(),
        "producer": PRODUCER,
        "schemaURL": RUN_EVENT,
        "run": {"runId": version.run, "facets": {"headrace_training": _run_facet(version)}},
        "job": {"namespace": "headrace", "name": f"train.{version.model}"},
        "inputs": [{"namespace": "headrace", "name": dataset.name, "facets": source}],
        "outputs": [{"namespace": place, "name": artifact.prefix, "facets": output}],
    }


def _run_facet(version: VersionRow) -> dict[str, Any]:
    trained = version.training
    return {
        "_producer": PRODUCER,
        "_schemaURL": f"{PRODUCER}/events/training/completed.v1.json",
        "params": trained.params,
        "seed": trained.seed,
        "code_version": trained.code_version,
        "packages": trained.packages,
        "dataset_digest": trained.dataset.digest,
    }


def _front(model: ModelRow, version: VersionRow, signals: Sequence[SignalRow]) -> dict[str, Any]:
    task = {"classification": "tabular-classification", "regression": "tabular-regression"}
    results = [{"type": name, "value": round(value, 6)} for name, value in version.metrics.items()]
    dataset = version.training.dataset
    return {
        "model_name": model.name,
        "version": version.version,
        "digest": version.digest,
        "pipeline_tag": task[model.parsed().task],
        "library_name": version.training.framework,
        "datasets": [f"{dataset.name}@{dataset.version}"],
        "metrics": results,
        "risk_rating": risk_of(model.parsed(), [signal.kind for signal in signals]).rating,
        "intended_uses": model.declaration.get("purpose", ""),
    }


def _purpose(model: ModelRow) -> str:
    return model.declaration.get("purpose") or "No purpose is declared."


def _details(model: ModelRow, version: VersionRow) -> str:
    trained = version.training
    owner = model.declaration.get("owner", {}).get("team") or "nobody is named"
    rows = {
        "Owner": owner,
        "Estimator": f"`{trained.estimator}`",
        "State": version.state,
        "Digest": f"`{version.digest}`",
        "Run": f"`{version.run}`, asked for by {version.author}: {trained.reason}",
        "Code": f"`{trained.code_version}`, Python {trained.python}",
    }
    return "\n".join(f"- **{name}:** {value}" for name, value in rows.items())


def _risks(model: ModelRow, signals: Sequence[SignalRow]) -> str:
    risk = risk_of(model.parsed(), [signal.kind for signal in signals])
    head = f"Risk {risk.rating}: probability {risk.probability:.2f} x impact {risk.impact:.2f} = {risk.score:.2f}."
    seen = "\n".join(f"- {signal.at.date()}: {signal.kind}" for signal in signals)
    return f"{head}\n\n{seen or 'Nothing was seen of it in service yet.'}"


def _training(version: VersionRow) -> str:
    trained = version.training
    dataset, holdout = trained.dataset, trained.holdout
    columns = ", ".join(f"`{column.name}`" for column in trained.features)
    return (
        f"Dataset `{dataset.name}` version {dataset.version} (digest `{dataset.digest[:16]}`), "
        f"{trained.train_rows:,} rows; target `{trained.target}`; features {columns}. "
        f"Holdout by {holdout.by}: {holdout.rows:,} rows"
        + (f" from {holdout.boundary} on" if holdout.boundary else "")
        + f". Parameters `{trained.params}`, seed {trained.seed}."
    )


def _evaluation(version: VersionRow) -> str:
    metrics = "\n".join(f"- {name}: {value:.4f}" for name, value in version.metrics.items())
    gates = "\n".join(f"- {'met' if gate['passed'] else 'NOT met'}: {gate['detail']}" for gate in version.gates)
    return f"{metrics}\n\n{gates or 'No gates are declared.'}"


def _approval(version: VersionRow, decisions: Sequence[DecisionRow]) -> str:
    said = "\n".join(f"- {each.at.isoformat()}: {each.by}: {each.decision}. {each.comment or ''}" for each in decisions)
    return said or f"No person was asked; the version is {version.state}."
