"""Which feature goes to which matrix of a graph that a user saved: numbers and text, as they come."""

from collections.abc import Sequence

from headrace.contracts import Column
from headrace.frameworks.errors import BadTrainingData
from headrace.runtimes.layout import Layout


def layout_of(features: Sequence[Column]) -> Layout:
    """The matrices of the features; raises BadTrainingData of a time, whose parts must be columns."""
    if timestamps := [f.name for f in features if f.type == "timestamp"]:
        named = ", ".join(timestamps)
        raise BadTrainingData(f"features {named} are timestamps; give what matters of them (hour, weekday) as columns")
    return Layout(
        numbers=tuple(f.name for f in features if f.type != "string"),
        strings=tuple(f.name for f in features if f.type == "string"),
    )
