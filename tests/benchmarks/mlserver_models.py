"""Run in MLServer's environment: fit the two models there and write its folders. Arguments: folder and three ports."""

import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

folder = Path(sys.argv[1])
http, grpc, metrics = map(int, sys.argv[2:])
rows, target = load_breast_cancer(return_X_y=True)
models = {
    "lr": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "rf": RandomForestClassifier(100, random_state=0),
}
settings = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "parallel_workers": 0, "debug": False}
(folder / "settings.json").write_text(json.dumps(settings))
for name, model in models.items():
    (folder / name).mkdir()
    joblib.dump(model.fit(rows, target), folder / name / "model.joblib")
    about = {"name": name, "implementation": "mlserver_sklearn.SKLearnModel", "parameters": {"uri": "./model.joblib"}}
    (folder / name / "model-settings.json").write_text(json.dumps(about))
