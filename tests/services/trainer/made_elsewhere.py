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
    told = {"objective": "binary", "verbosity": -1, "num_leaves": 7, "seed": 1, **params}
    return lightgbm.train(told, lightgbm.Dataset(with_categories(rows), rows.late), num_boost_round=20)


def xgboost_booster(rows: pd.DataFrame, **params: Any) -> Any:
    """An XGBoost model of the same."""
    import xgboost

    told = {"objective": "binary:logistic", "max_depth": 3, "seed": 1, "nthread": 1, **params}
    data = xgboost.DMatrix(with_categories(rows), rows.late, enable_categorical=True)
    return xgboost.train(told, data, num_boost_round=10)


def with_categories(rows: pd.DataFrame) -> pd.DataFrame:
    """The features as pandas has them."""
    return rows[FEATURES].assign(carrier=pd.Categorical(rows.carrier))


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


def pmml(rows: pd.DataFrame, names: tuple[str, str] = ("wind", "carrier"), labels: tuple[Any, Any] = (0, 1)) -> bytes:
    """The pipeline as a PMML document: its coefficients in the numbers and words of the rows."""
    model = pipeline(rows)
    scale, words = (each[1] for each in model[0].transformers_)
    weights, (mean,), (spread,) = model[-1].coef_[0].tolist(), scale.mean_.tolist(), scale.scale_.tolist()
    kind = "integer" if isinstance(labels[0], int) else "string"
    categories = "".join(
        f'<CategoricalPredictor name="{names[1]}" value="{word}" coefficient="{weight!r}"/>'
        for word, weight in zip(words.categories_[0], weights[1:], strict=True)
    )
    intercept = float(model[-1].intercept_[0]) - weights[0] * mean / spread
    return f"""<?xml version="1.0"?>
<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">
<Header><Application name="Vendor Miner" version="9.4"/></Header>
<DataDictionary>
<DataField name="{names[0]}" optype="continuous" dataType="double"/>
<DataField name="{names[1]}" optype="categorical" dataType="string"/>
<DataField name="y" optype="categorical" dataType="{kind}">
<Value value="{labels[0]}"/><Value value="{labels[1]}"/></DataField>
</DataDictionary>
<RegressionModel functionName="classification" normalizationMethod="logit">
<MiningSchema><MiningField name="{names[0]}"/><MiningField name="{names[1]}"/>
<MiningField name="y" usageType="target"/></MiningSchema>
<RegressionTable targetCategory="{labels[1]}" intercept="{intercept!r}">
<NumericPredictor name="{names[0]}" coefficient="{weights[0] / spread!r}"/>{categories}
</RegressionTable>
<RegressionTable targetCategory="{labels[0]}" intercept="0"/>
</RegressionModel></PMML>""".encode()


def probability(model: Any, rows: pd.DataFrame) -> np.ndarray:
    """What a pipeline or a booster says itself."""
    if isinstance(model, lightgbm.Booster):
        return np.asarray(model.predict(with_categories(rows)))
    if hasattr(model, "inplace_predict"):  # XGBoost's, which is not installed everywhere
        return np.asarray(model.inplace_predict(with_categories(rows)))
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
