"""MLflow: a directory with an `MLmodel` file, which says which file is which flavor's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from headrace.trainer.formats.base import Artifact, BadArtifact, Wanted

_MLMODEL = "MLmodel"
FLAVORS: Mapping[str, tuple[str, str]] = {
    "onnx": ("onnx", "data"),
    "lightgbm": ("lightgbm", "data"),
    "xgboost": ("xgboost", "data"),
    "sklearn": ("skops", "pickled_model"),
}
"""The format of each flavor's file, and where the flavor names it; the first that a directory has is taken."""
_FUNCTION = "python_function"
_CODE = (
    "python_function is code, which loading would run: export the model as ONNX, or push the code with `headrace code "
    "push`, and let training.code save the model"
)


class Mlflow:
    """Reads the file of the first flavor that is known, with the names of the directory's signature."""

    def found(self, folder: Path) -> Path | None:
        """A directory with an MLmodel file."""
        path = folder / _MLMODEL
        return path if path.is_file() else None

    def read(self, path: Path, wanted: Wanted, names: Sequence[str] | None = None) -> Artifact:
        """The flavor's file."""
        from headrace.trainer.formats.catalog import FORMATS

        described = _described(path)
        flavors = described["flavors"]
        flavor = next((name for name in FLAVORS if name in flavors), None)
        if flavor is None:
            code = f"; {_CODE}" if _FUNCTION in flavors else ""
            known = f"those that can be imported are {', '.join(FLAVORS)}"
            raise BadArtifact(f"{_MLMODEL} has the flavors {', '.join(flavors)}; {known}{code}")
        form, key = FLAVORS[flavor]
        file = _file(path.parent, flavor, flavors[flavor], key)
        read = FORMATS[form].load().read(file, wanted, _names(described) or names)
        return replace(read, producer=_producer(described, flavor, flavors[flavor], read.producer))


def _described(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise BadArtifact(f"{_MLMODEL} cannot be read: {error}") from error
    flavors = found.get("flavors") if isinstance(found, dict) else None
    if not isinstance(flavors, dict) or not all(isinstance(each, dict) for each in flavors.values()):
        raise BadArtifact(f"{_MLMODEL} names no flavors")
    return {**found, "flavors": flavors}


def _file(folder: Path, flavor: str, told: Mapping[str, Any], key: str) -> Path:
    """The file of a flavor; raises BadArtifact where it is none of the directory's."""
    if flavor == "sklearn" and told.get("serialization_format") != "skops":
        raise BadArtifact(
            f"the flavor sklearn is saved as {told.get('serialization_format') or 'pickle'}, which runs code when it "
            'is loaded; save it with serialization_format="skops", or as ONNX'
        )
    name = str(told.get(key) or "")
    file = (folder / name).resolve()
    if not name or not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise BadArtifact(f"{_MLMODEL}: the flavor {flavor} names the file {name!r}, which the directory does not have")
    return file


def _names(described: Mapping[str, Any]) -> list[str] | None:
    """The columns of the directory's signature, in order; None where it has none, or tensors without names."""
    signature = described.get("signature")
    told = signature.get("inputs") if isinstance(signature, dict) else None
    try:
        inputs = json.loads(told) if isinstance(told, str) else []
    except ValueError as error:
        raise BadArtifact(f"{_MLMODEL}: its signature is no JSON: {error}") from error
    names = [each.get("name") for each in inputs if isinstance(each, dict) and each.get("type") != "tensor"]
    return [str(name) for name in names] if names and all(names) else None


def _producer(described: Mapping[str, Any], flavor: str, told: Mapping[str, Any], inner: str | None) -> str | None:
    """What made the model: the library with its version as the flavor says, and MLflow's."""
    version = next((str(value) for name, value in told.items() if name in _VERSIONS.get(flavor, ())), None)
    library = f"{inner or flavor} {version}" if version and flavor != "onnx" else inner
    mlflow = described.get("mlflow_version")
    return "; ".join(filter(None, (library, mlflow and f"MLflow {mlflow}"))) or None


_VERSIONS = {"lightgbm": ("lgb_version",), "xgboost": ("xgb_version",), "sklearn": ("sklearn_version",)}
FORMAT = Mlflow()
