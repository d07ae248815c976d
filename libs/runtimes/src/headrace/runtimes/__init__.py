"""Runtimes: how an artifact answers. One file and one line each; evaluation and inference use the same ones."""

from headrace.runtimes.base import BadValue, Columns, Framed, Model, OutOfProcess, Runtime
from headrace.runtimes.catalog import RUNTIMES, load, runtime_named, starts_slowly
from headrace.runtimes.directory import DESCRIBING, Description, read_description, write_directory
from headrace.runtimes.errors import BadAnswer, BadModel, PickleFound, Unavailable
from headrace.runtimes.pickles import refuse_pickle

__all__ = [
    "DESCRIBING",
    "RUNTIMES",
    "BadAnswer",
    "BadModel",
    "BadValue",
    "Columns",
    "Description",
    "Framed",
    "Model",
    "OutOfProcess",
    "PickleFound",
    "Runtime",
    "Unavailable",
    "load",
    "read_description",
    "refuse_pickle",
    "runtime_named",
    "starts_slowly",
    "write_directory",
]
