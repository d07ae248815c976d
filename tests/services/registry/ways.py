"""Every way to loosen what a declaration promises: for each of its fields that can, a stricter and a looser value."""

from typing import Any

Document = dict[str, Any]

ROC = {"metric": "roc_auc", "at_least": 0.65}
BETTER = {"metric": "roc_auc", "beats": "champion", "by": 0.01}
SMALL = {"metric": "brier", "at_most": 0.2}

# path: what it was, and what would loosen it; None takes the field, or the section it stands in, away
WAYS: list[tuple[str, Any, Any]] = [
    ("task", "binary", "regression"),
    ("task_options", {"quantiles": [0.1, 0.9]}, {"quantiles": [0.2, 0.8]}),
    ("owner.team", "operations", "elsewhere"),
    ("owner.team", "operations", ""),
    ("owner.contact", "ops@example.org", "me@example.org"),
    ("purpose", "Warn travellers.", "Decide on refunds."),
    ("risk.impact", "high", "medium"),
    ("risk.impact", "medium", "low"),
    ("risk.review_every", "P90D", "P91D"),
    ("data.dataset", "flights", "easy"),
    ("data.target", "late", "easy"),
    ("data.time", "departed_at", "arrived_at"),
    ("data.time", "departed_at", None),
    ("data.positive", 1, 0),
    ("data.positive", None, 0),
    ("data.groups", ["carrier", "origin"], ["carrier"]),
    ("data.groups", ["carrier"], []),
    ("training.monotone", {"wind": 1}, {"wind": 0}),
    ("training.monotone", {"wind": 1}, {"wind": -1}),
    ("training.monotone", {"wind": 1}, None),
    ("evaluation.holdout.by", "time", "random"),
    ("evaluation.holdout.by", "random", "time"),
    ("evaluation.holdout.fraction", 0.3, 0.05),
    ("evaluation.holdout.fraction", 0.05, 0.3),
    ("evaluation.metrics", ["roc_auc", "brier"], ["roc_auc"]),
    ("evaluation.gates", [ROC], []),
    ("evaluation.gates", [ROC, SMALL], [ROC]),
    ("evaluation.gates", [ROC], [{**ROC, "at_least": 0.64}]),
    ("evaluation.gates", [SMALL], [{**SMALL, "at_most": 0.21}]),
    ("evaluation.gates", [BETTER], [{**BETTER, "by": 0.009}]),
    ("evaluation.gates", [BETTER], [{**BETTER, "beats": "trivial"}]),
    ("evaluation.gates", [ROC], [{**ROC, "metric": "average_precision"}]),
    ("evaluation.gates", [ROC], [{"metric": "roc_auc", "at_most": 0.65}]),
    ("evaluation.confidence", 0.95, 0.9),
    ("evaluation.resamples", 500, 499),
    ("approval.needed", 2, 1),
    ("approval.needed", 2, 0),
    ("approval.expires", "P7D", "P8D"),
    ("serving.strategy", "canary", "direct"),
    ("serving.strategy", "canary", "shadow"),
    ("serving.strategy", "shadow", "direct"),
    ("serving.steps", [10, 50, 100], [50, 100]),
    ("serving.steps", [10, 100], [90, 100]),
    ("serving.bake", "PT30S", "PT1S"),
    ("serving.max_error_rate", 0.01, 0.02),
    ("serving.max_p99_ms", 250, 251),
    ("serving.shadow.agreement", 0.9, 0.8),
    ("serving.shadow.distance", 1.0, 1.1),
    ("monitoring.every", "@daily", "@monthly"),
    ("monitoring.every", "@daily", "PT1H"),
    ("monitoring.minimum", 200, 201),
    ("monitoring.drift.share", 0.5, 0.6),
    ("monitoring.drift.method", "ks", "psi"),
    ("monitoring.drift.method", "ks", None),
    ("monitoring.drift.threshold", 0.05, 0.01),
    ("monitoring.drift.threshold", 0.05, 0.1),
    ("monitoring.drift.numeric.method", "ks", "wasserstein"),
    ("monitoring.drift.numeric.limit", 0.05, 0.1),
    ("monitoring.drift.categorical.method", "psi", "jensen_shannon"),
    ("monitoring.drift.categorical.limit", 0.05, 0.1),
    ("monitoring.performance", {"metric": "roc_auc", "drop": 0.03}, None),
    ("monitoring.performance.metric", "roc_auc", "brier"),
    ("monitoring.performance.drop", 0.03, 0.04),
    ("monitoring.fairness", {"measure": "parity_difference", "limit": 0.1}, None),
    ("monitoring.fairness.measure", "parity_difference", "parity_ratio"),
    ("monitoring.fairness.limit", 0.1, 0.2),
    ("monitoring.fairness.minimum", 30, 300),
    ("monitoring.freshness", "P1D", "P2D"),
    ("monitoring.freshness", "P1D", None),
    ("monitoring.truth.matures_after", "P1D", "P2D"),
    ("monitoring.tell", [{"channel": "webhook", "to": "https://alerts.example.org"}], []),
    (
        "monitoring.tell",
        [{"channel": "webhook", "to": "https://alerts.example.org"}],
        [{"channel": "webhook", "to": "https://alerts.example.org", "severity": "critical"}],
    ),
]
BESIDE: dict[str, dict[str, Any]] = {  # what a field needs beside it to be good
    "monitoring.performance.metric": {"monitoring.performance.drop": 0.03},
    "monitoring.performance.drop": {"monitoring.performance.metric": "roc_auc"},
    "monitoring.drift.threshold": {"monitoring.drift.method": "ks"},
    "monitoring.drift.numeric.limit": {"monitoring.drift.numeric.method": "ks"},
    "monitoring.drift.categorical.limit": {"monitoring.drift.categorical.method": "psi"},
}
WORDS = [f"{path}: {old} to {new}" for path, old, new in WAYS]


def declared(name: str, path: str, value: Any, needed: int = 2) -> Document:
    """A declaration of a model that needs approvals, with a value in one place."""
    document: Document = {
        "name": name,
        "owner": {"team": "operations", "contact": "ops@example.org"},
        "purpose": "Warn travellers.",
        "data": {"dataset": "flights", "target": "late", "time": "departed_at", "groups": ["carrier", "origin"]},
        "approval": {"needed": needed},
    }
    if path == "task":
        document["evaluation"] = {"metrics": [], "gates": []}  # those of the other task do not fit
    for place, beside in {**BESIDE.get(path, {}), path: value}.items():
        _put(document, place, beside)
    return document


def _put(document: Document, path: str, value: Any) -> None:
    *sections, name = path.split(".")
    for section in sections:
        document = document.setdefault(section, {})
    if value is None:
        document.pop(name, None)
    else:
        document[name] = value
