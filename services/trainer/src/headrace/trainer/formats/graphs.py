"""Artifacts that are one graph: the directory that the runtime `onnx` serves, compared with the artifact's library."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from headrace.runtimes import BadModel, Description, Model, load, write_directory
from headrace.runtimes.directory import GRAPH, onnx_flavor
from headrace.trainer.formats.base import BadArtifact, Given, GraphArtifact, Saved, Wanted
from headrace.trainer.formats.equality import compared
from headrace.trainer.formats.takeover import answers_of, take_over

EXAMPLE_ROWS = 3
PACKAGES = ("numpy", "onnx", "onnxruntime")


def save_graph(artifact: GraphArtifact, folder: Path, wanted: Wanted, given: Given) -> Saved:
    """Write the directory of a graph, and compare it; raises BadArtifact."""
    answers = answers_of(artifact, wanted, given)
    taken = take_over(artifact, answers, given.context)
    folder.mkdir()
    (folder / GRAPH).write_bytes(taken.graph)
    described = Description("onnx", taken.signature, artifact.framework)
    finish(folder, described, artifact, given, {**artifact.flavors, **onnx_flavor()}, PACKAGES)
    return Saved(compared(artifact, answers, loaded(folder), given.rows))


def finish(
    folder: Path,
    described: Description,
    artifact: GraphArtifact,
    given: Given,
    flavors: Mapping[str, Any],
    packages: Sequence[str],
) -> None:
    """Write what every directory has, and the artifact's own files."""
    for name, data in artifact.files.items():
        (folder / name).write_bytes(data)
    example = {column.name: _json(given.rows[column.name].head(EXAMPLE_ROWS)) for column in artifact.columns}
    write_directory(folder, described, about=given.about, flavors=flavors, packages=packages, example=example)


def loaded(folder: Path) -> Model:
    """What would serve; raises BadArtifact where its runtime does not take it."""
    try:
        return load(folder)
    except BadModel as error:
        raise BadArtifact(f"what would serve cannot be loaded: {error}") from error


def _json(values: pd.Series) -> list[object]:
    return [None if value != value else value for value in values.tolist()]
