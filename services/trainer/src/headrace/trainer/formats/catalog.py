"""The formats there are: one file and one line each. Light: a format is imported when an artifact is read."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from headrace.contracts.catalogs import Catalog
from headrace.trainer.formats.base import BadArtifact, Format


@dataclass(frozen=True)
class Entry:
    """Where a format is, and what it is."""

    module: str
    """The module whose `FORMAT` reads it."""
    about: str
    framework: str | None = None
    """What must be installed to read it, where that is no matter of course."""

    def load(self) -> Format:
        """Import the format: the module's `FORMAT`."""
        return cast("Format", importlib.import_module(self.module).FORMAT)


_OURS = "headrace.trainer.formats"

# fmt: off
FORMATS: Mapping[str, Entry] = {
    "mlflow": Entry(f"{_OURS}.mlflow", "a directory with an MLmodel file, of the flavors onnx, lightgbm, xgboost or sklearn with skops"),  # noqa: E501
    "onnx": Entry(f"{_OURS}.onnx", "an ONNX graph, with the files of its tensors where it has them"),
    "lightgbm": Entry(f"{_OURS}.lightgbm", "a LightGBM model as text"),
    "xgboost": Entry(f"{_OURS}.xgboost", "an XGBoost model as JSON or UBJSON", "xgboost"),
    "pmml": Entry(f"{_OURS}.pmml", "a PMML document"),
    "skops": Entry(f"{_OURS}.sklearn", "a scikit-learn estimator or pipeline, saved with skops"),
}
# fmt: on
"""By name, in the order in which an artifact is asked whether it is one."""

ARTIFACT_FORMATS = Catalog("format of a model", lambda: {name: entry.about for name, entry in FORMATS.items()})
"""The formats by name, for whoever takes one in."""


@dataclass(frozen=True)
class Sniffed:
    """An artifact whose format is known."""

    name: str
    form: Format
    path: Path


def sniffed(folder: Path, told: str | None = None) -> Sniffed:
    """The format of an artifact, as it was told or by its content; raises BadArtifact where it is none."""
    for name, entry in FORMATS.items():
        if told in (None, name):
            form = entry.load()
            if path := form.found(folder):
                return Sniffed(name, form, path)
    files = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
    if told is not None:
        raise BadArtifact(f"{files} is not {FORMATS[told].about}, as `format: {told}` says")
    known = "; ".join(f"{name}: {entry.about}" for name, entry in FORMATS.items())
    raise BadArtifact(f"{files} is none of the formats that can be imported ({known})")
