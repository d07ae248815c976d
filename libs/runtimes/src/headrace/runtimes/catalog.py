"""The runtimes there are: one file and one line each."""

from collections.abc import Mapping
from pathlib import Path

from headrace.contracts.errors import choice_problem
from headrace.runtimes.base import Model, Runtime
from headrace.runtimes.directory import read_description
from headrace.runtimes.errors import BadModel
from headrace.runtimes.onnx import Onnx
from headrace.runtimes.pickles import refuse_pickle
from headrace.runtimes.process import Process

RUNTIMES: Mapping[str, Runtime] = {
    "onnx": Onnx(),
    "process": Process(),
}


def load(folder: Path) -> Model:
    """Load a model directory with the runtime that it names; raises BadModel, of any trace of pickle PickleFound."""
    refuse_pickle(folder)
    described = read_description(folder)
    return runtime_named(described.runtime).load(folder, described.signature)


def runtime_named(name: str) -> Runtime:
    """A runtime by its name; raises BadModel with the nearest right name."""
    found = RUNTIMES.get(name)
    if found is None:
        raise BadModel(f"runtime {choice_problem(name, list(RUNTIMES))}")
    return found


def starts_slowly(folder: Path) -> bool:
    """Whether a model directory takes its time to load, as what starts a program does; raises BadModel."""
    return getattr(runtime_named(read_description(folder).runtime), "starts_slowly", False)
