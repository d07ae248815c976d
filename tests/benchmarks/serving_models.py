"""The models of the serving benchmark, made as the trainer makes them."""

import hashlib
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.datasets import load_breast_cancer

from headrace.contracts import Artifact, Column, File, Signature
from headrace.frameworks import FRAMEWORKS, About, Recipe
from headrace.objects import digest_of
from headrace.runtimes import Description, write_directory

ESTIMATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "lr": ("sklearn.linear_model.LogisticRegression", {"max_iter": 1000}),
    "rf": ("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 100}),
}


@dataclass(frozen=True)
class Fitted:
    """A model in a folder, and the request that asks it for one row."""

    folder: Path
    artifact: Artifact
    signature: Signature
    request: dict[str, Any]


def make_models(root: Path) -> dict[str, Fitted]:
    """Fit both on the breast cancer data: 569 rows, 30 numbers."""
    data = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in data.feature_names]
    frame = pd.DataFrame(data.data, columns=names).assign(y=data.target)
    row = [float(value) for value in data.data[0]]
    request = {"inputs": [{"name": "predict", "shape": [1, 30], "datatype": "FP64", "data": row}]}
    return {name: _fit(root / name, name, frame, names, request) for name in ESTIMATORS}


def _fit(folder: Path, name: str, frame: pd.DataFrame, names: list[str], request: dict[str, Any]) -> Fitted:
    estimator, params = ESTIMATORS[name]
    features = [Column(name=column, type="number", nullable=False) for column in names]
    sklearn = FRAMEWORKS["sklearn"]
    fitted = sklearn.fit(frame, Recipe(estimator, params, 0, features, "y", "binary"), lambda _step, _of: None)
    folder.mkdir(parents=True)
    saved = sklearn.save(fitted, folder, About("bench", datetime.now(UTC)))
    return Fitted(folder, _artifact(folder), saved.signature, request)


def in_processes(root: Path, models: dict[str, Fitted]) -> dict[str, Fitted]:
    """The models that MLServer serves, with scikit-learn itself in a process; by the names of `models`."""
    return {name: _in_process(root / name, name, fitted) for name, fitted in models.items()}


def _in_process(folder: Path, name: str, fitted: Fitted) -> Fitted:
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).parent / "mlserver_in_process.py", folder / "model.py")
    outputs = [tensor for tensor in fitted.signature.outputs if tensor.name == "label"]
    signature = fitted.signature.model_copy(update={"outputs": outputs})
    about = {"run": "bench", "created": datetime.now(UTC).isoformat()}
    described = Description("process", signature, options={"python": {"module": "model", "function": name}})
    write_directory(folder, described, about=about, flavors={}, packages=[], example={})
    return Fitted(folder, _artifact(folder), signature, fitted.request)


def _artifact(folder: Path) -> Artifact:
    files = [_file(path) for path in sorted(folder.iterdir())]
    size = sum(file.size for file in files)
    return Artifact(bucket="headrace-models", prefix="bench", digest=digest_of(files), size=size, files=files)


def _file(path: Path) -> File:
    data = path.read_bytes()
    return File(path=path.name, size=len(data), sha256=hashlib.sha256(data).hexdigest())
