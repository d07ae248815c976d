"""The model directory: MLflow's layout, so that MLflow and people who know it can read ours.

`MLmodel`, `requirements.txt`, `input_example.json`, and the files of the runtime and the framework. The flavor
`headrace` of `MLmodel` says which runtime answers, and what the model takes and gives; by `python_function` MLflow
loads the directory, whatever the runtime (see `headrace.runtimes.mlflow`), by `onnx` the graph where it has one.
"""

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from headrace.contracts import Model, Prepared, Signature, Tensor
from headrace.runtimes.errors import BadModel

GRAPH = "model.onnx"
_MLMODEL = "MLmodel"
_REQUIREMENTS = "requirements.txt"
DESCRIBING = (_MLMODEL, _REQUIREMENTS)
"""The files that tell of a run and its packages: two directories of the same model differ in these alone."""
_FLAVOR = "headrace"
_OURS = "headrace-runtimes"  # what loads a directory
_EXAMPLE = "input_example.json"
_MLFLOW_TYPES = {
    "BOOL": "boolean",
    "BYTES": "string",
    "FP16": "float",
    "FP32": "float",
    "FP64": "double",
    "INT64": "long",
    "UINT32": "long",
    "UINT64": "long",
}  # every other whole number is an `integer`


@dataclass(frozen=True)
class Description:
    """What a model directory says of itself."""

    runtime: str
    signature: Signature
    framework: str | None = None
    """What fitted it; None where that is not known."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the runtime needs to be told; in the flavor it lies under the runtime's name."""
    preparation: Sequence[Prepared] = ()
    """How its columns were prepared; for people alone, since the artifact does it."""


def write_directory(
    folder: Path,
    described: Description,
    *,
    about: Mapping[str, str],
    flavors: Mapping[str, Any],
    packages: Sequence[str],
    example: Mapping[str, Sequence[Any]],
) -> None:
    """Write everything but the files of the runtime and the framework; `about` has the `run` and when it was made."""
    own = {
        "runtime": described.runtime,
        **({"framework": described.framework} if described.framework else {}),
        **({"preparation": [_json(each) for each in described.preparation]} if described.preparation else {}),
        **({described.runtime: dict(described.options)} if described.options else {}),
        "signature": _json(described.signature),
    }
    mlmodel = {
        "run_id": about["run"],
        "utc_time_created": about["created"],
        "flavors": {**flavors, "python_function": _python_function(), _FLAVOR: own},
        "signature": _mlflow_signature(described.signature),
        "saved_input_example_info": {"artifact_path": _EXAMPLE, "type": "dataframe", "pandas_orient": "split"},
    }
    (folder / _MLMODEL).write_text(yaml.safe_dump(mlmodel, sort_keys=False))
    needed = sorted({*packages, _OURS})
    (folder / _REQUIREMENTS).write_text("".join(f"{p}=={importlib.metadata.version(p)}\n" for p in needed))
    rows = [list(row) for row in zip(*example.values(), strict=True)]
    (folder / _EXAMPLE).write_text(json.dumps({"columns": list(example), "data": rows}))


def read_description(folder: Path) -> Description:
    """What a directory says of itself; raises BadModel."""
    own = _read_mlmodel(folder)["flavors"][_FLAVOR]
    try:
        options = own.get(own["runtime"]) or {}
        return Description(own["runtime"], Signature.model_validate(own["signature"]), own.get("framework"), options)
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise BadModel(
            f"{folder.name}: the flavor {_FLAVOR!r} of {_MLMODEL} does not describe a model: {error}"
        ) from error


def read_example(folder: Path) -> dict[str, list[Any]]:
    """The rows of `input_example.json` by column; none where it is not there or cannot be read."""
    try:
        found = json.loads((folder / _EXAMPLE).read_text())
        return dict(zip(found["columns"], map(list, zip(*found["data"], strict=True)), strict=True))
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def onnx_flavor() -> dict[str, Any]:
    """The flavor by which MLflow loads the graph."""
    return {"onnx": {"data": GRAPH, "onnx_version": importlib.metadata.version("onnx")}}


def _python_function() -> dict[str, str]:
    """The flavor by which MLflow loads the directory as whatever runtime answers it."""
    return {"loader_module": "headrace.runtimes.mlflow", "python_version": platform.python_version()}


def _read_mlmodel(folder: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load((folder / _MLMODEL).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadModel(f"{folder.name} has no readable {_MLMODEL} file: {error}") from error
    flavors = found.get("flavors") if isinstance(found, dict) else None
    if not isinstance(flavors, dict) or _FLAVOR not in flavors:
        raise BadModel(f"{folder.name}: {_MLMODEL} has no flavor {_FLAVOR!r}; only models saved by headrace load")
    if "signature" not in found:  # it is written last: a file that was cut has none
        raise BadModel(f"{folder.name}: {_MLMODEL} ends before its signature; the file was cut")
    return {**found, "flavors": flavors}


def _json(value: Model) -> dict[str, Any]:
    return value.model_dump(mode="json", exclude_none=True)


def _mlflow_signature(signature: Signature) -> dict[str, str]:
    return {"inputs": _mlflow_columns(signature.inputs), "outputs": _mlflow_columns(signature.outputs)}


def _mlflow_columns(tensors: Sequence[Tensor]) -> str:
    return json.dumps([_mlflow_column(tensor) for tensor in tensors])


def _mlflow_column(tensor: Tensor) -> dict[str, Any]:
    """MLflow has numbers with gaps as floating point alone."""
    kind = _MLFLOW_TYPES.get(tensor.datatype, "integer")
    if tensor.nullable and kind not in ("string", "float"):
        kind = "double"
    told = {"name": tensor.name, "required": not tensor.nullable}
    return {**told, "type": kind} if len(tensor.shape) == 1 else {**told, "type": "array", "items": {"type": kind}}
