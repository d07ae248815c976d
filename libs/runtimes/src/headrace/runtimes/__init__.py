"""Runtimes: how an artifact answers. One file and one line each; evaluation and inference use the same ones."""

from headrace.runtimes.base import BadValue, Columns, Model, Runtime
from headrace.runtimes.catalog import RUNTIMES, load, runtime_named
from headrace.runtimes.directory import Description, read_description, write_directory
from headrace.runtimes.errors import BadModel, PickleFound
from headrace.runtimes.pickles import refuse_pickle

__all__ = [
    "RUNTIMES",
    "BadModel",
    "BadValue",
    "Columns",
    "Description",
    "Model",
    "PickleFound",
    "Runtime",
    "load",
    "read_description",
    "refuse_pickle",
    "runtime_named",
    "write_directory",
]
