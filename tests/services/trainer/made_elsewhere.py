"""Models that were made elsewhere, as their libraries save them; nothing of ours has a part in it."""

import io
import tarfile
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import skops.io
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FEATURES = ["wind", "carrier"]


def booster(rows: pd.DataFrame, **params: Any) -> lightgbm.Booster:
    """A LightGBM model of a number and a category."""
    features = rows[FEATURES].assign(carrier=pd.Categorical(rows.carrier))
    told = {"objective": "binary", "verbosity": -1, "num_leaves": 7, "seed": 1, **params}
    return lightgbm.train(told, lightgbm.Dataset(features, rows.late), num_boost_round=20)


def pipeline(rows: pd.DataFrame) -> Any:
    """A scikit-learn pipeline that takes columns by name."""
    prepared = make_column_transformer((StandardScaler(), ["wind"]), (OneHotEncoder(), ["carrier"]))
    return make_pipeline(prepared, LogisticRegression()).fit(rows[FEATURES], rows.late)


def graph(rows: pd.DataFrame, **options: Any) -> Any:
    """The pipeline as skl2onnx exports it by default: a tensor a column in, labels and maps of probabilities out."""
    types = [("wind", FloatTensorType([None, 1])), ("carrier", StringTensorType([None, 1]))]
    return to_onnx(pipeline(rows), initial_types=types, target_opset={"": 18, "ai.onnx.ml": 3}, **options)


def skops_file(rows: pd.DataFrame) -> bytes:
    """The pipeline as skops saves it."""
    return bytes(skops.io.dumps(pipeline(rows)))


def probability(model: Any, rows: pd.DataFrame) -> np.ndarray:
    """What a pipeline or a booster says itself."""
    if isinstance(model, lightgbm.Booster):
        features = rows[FEATURES].assign(carrier=pd.Categorical(rows.carrier))
        return np.asarray(model.predict(features))
    return np.asarray(model.predict_proba(rows[FEATURES])[:, 1])


def tar(folder: Path | dict[str, bytes]) -> bytes:
    """A folder, or files by name, as one archive."""
    files = folder if isinstance(folder, dict) else _files(folder)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mlflow(flavors: dict[str, Any], files: dict[str, bytes], **more: Any) -> dict[str, bytes]:
    """A directory as MLflow writes it."""
    import yaml

    told = {"flavors": flavors, "mlflow_version": "3.1.0", **more}
    return {"MLmodel": yaml.safe_dump(told).encode(), **files}
