"""A small, real, declared model for tests: breast cancer measurements, one row an hour, trained in a blink."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

Document = dict[str, Any]
FEATURES = ["mean_radius", "mean_texture", "mean_smoothness", "mean_concavity"]
START = datetime(2024, 1, 1, tzinfo=UTC)  # questions a year and more later still lie in the past


def rows() -> pd.DataFrame:
    """Breast cancer data with a time column made by row order: one row an hour."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.frame.rename(columns=lambda name: name.replace(" ", "_"))[[*FEATURES, "target"]]
    timed: pd.DataFrame = frame.assign(seen_at=[(START + timedelta(hours=at)).isoformat() for at in range(len(frame))])
    return timed


def declaration(name: str, dataset: str, **parts: Any) -> Document:
    """A small model of `dataset`, rolled out by canary with a short bake."""
    return {
        "kind": "Model",
        "name": name,
        "purpose": "Tell benign from malignant.",
        "data": {"dataset": dataset, "target": "target", "time": "seen_at"},
        "training": {
            "estimator": "sklearn.linear_model.LogisticRegression",
            "params": {"max_iter": 500},
            "on": ["new-data"],
        },
        "evaluation": {"metrics": ["roc_auc"], "gates": [{"metric": "roc_auc", "at_least": 0.7}]},
        "serving": {"strategy": "canary", "steps": [50, 100], "bake": "PT0.5S"},
        "monitoring": {"every": "PT1H", "minimum": 50, "drift": {"share": 0.3}},
        "retraining": {"on": ["drift"], "cooldown": "PT1S"},
        **parts,
    }
