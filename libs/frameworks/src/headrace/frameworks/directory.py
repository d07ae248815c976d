"""The model directory: MLflow's layout, so that MLflow and people who know it can read ours.

`MLmodel`, `requirements.txt`, `input_example.json`, `model.onnx`, and the framework's own file.
"""

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from headrace.contracts import Column, Signature, Tensor
from headrace.frameworks.base import Recipe
from headrace.frameworks.errors import BadModel
from headrace.frameworks.labels import Labels

GRAPH = "model.onnx"
_MLMODEL = "MLmodel"
_FLAVOR = "headrace"
_EXAMPLE = "input_example.json"
_MLFLOW_TYPES = {"FP64": "double", "INT64": "long", "BOOL": "boolean", "BYTES": "string"}
_TENSOR_TYPES = {"boolean": "BOOL", "integer": "INT64", "number": "FP64", "string": "BYTES"}


def signature_of(recipe: Recipe, labels: Labels | None, outputs: Mapping[str, np.ndarray]) -> Signature:
    """One input a feature, any number of rows; a nullable boolean or integer is FP64, which has NaN."""
    return Signature(
        inputs=[Tensor(name=f.name, datatype=_datatype(f), shape=[-1], nullable=f.nullable) for f in recipe.features],
        outputs=[Tensor(name=n, datatype=_output_type(values), shape=[-1]) for n, values in outputs.items()],
        labels=labels.ordered if labels else None,
        positive=labels.positive if labels else None,
        context=list(recipe.context) or None,
    )


def labels_in(signature: Signature) -> Labels | None:
    """The labels that a signature names; None for a regressor."""
    return Labels(*signature.labels) if signature.labels else None


def write_directory(
    folder: Path,
    *,
    about: Mapping[str, str],
    framework: str,
    signature: Signature,
    flavors: Mapping[str, Any],
    packages: Sequence[str],
    example: Mapping[str, Sequence[Any]],
) -> None:
    """Write everything but the graph and the framework's own file."""
    own = {"framework": framework, "signature": signature.model_dump(mode="json", exclude_none=True)}
    mlmodel = {
        "run_id": about["run"],
        "utc_time_created": about["created"],
        "flavors": {**flavors, "onnx": _onnx_flavor(), _FLAVOR: own},
        "signature": _mlflow_signature(signature),
        "saved_input_example_info": {"artifact_path": _EXAMPLE, "type": "dataframe", "pandas_orient": "split"},
    }
    (folder / _MLMODEL).write_text(yaml.safe_dump(mlmodel, sort_keys=False))
    (folder / "requirements.txt").write_text("".join(f"{p}=={version_of(p)}\n" for p in packages))
    rows = [list(row) for row in zip(*example.values(), strict=True)]
    (folder / _EXAMPLE).write_text(json.dumps({"columns": list(example), "data": rows}))


def read_mlmodel(folder: Path) -> dict[str, Any]:
    """The MLmodel file of a directory."""
    try:
        found = yaml.safe_load((folder / _MLMODEL).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise BadModel(f"{folder.name} has no readable {_MLMODEL} file: {error}") from error
    if not isinstance(found, dict) or _FLAVOR not in found.get("flavors", {}):
        raise BadModel(f"{folder.name}: {_MLMODEL} has no flavor {_FLAVOR!r}; only models saved by headrace load")
    return found


def read_signature(folder: Path) -> Signature:
    """The interface that a directory promises."""
    return Signature.model_validate(read_mlmodel(folder)["flavors"][_FLAVOR]["signature"])


def version_of(package: str) -> str:
    """The installed version of a distribution."""
    return importlib.metadata.version(package)


def _onnx_flavor() -> dict[str, str]:
    return {"data": GRAPH, "onnx_version": version_of("onnx")}


def _datatype(feature: Column) -> str:
    if feature.nullable and feature.type != "string":
        return "FP64"
    return _TENSOR_TYPES[feature.type]


def _output_type(values: np.ndarray) -> str:
    return {"b": "BOOL", "i": "INT64", "f": "FP64"}.get(values.dtype.kind, "BYTES")


def _mlflow_signature(signature: Signature) -> dict[str, str]:
    return {"inputs": _mlflow_columns(signature.inputs), "outputs": _mlflow_columns(signature.outputs)}


def _mlflow_columns(tensors: Sequence[Tensor]) -> str:
    return json.dumps([_mlflow_column(tensor) for tensor in tensors])


def _mlflow_column(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "type": _MLFLOW_TYPES[tensor.datatype], "required": not tensor.nullable}
