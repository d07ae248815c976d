"""What a fitted model takes and gives, as tensors."""

from headrace.contracts import Column, Signature, Tensor
from headrace.frameworks.base import Recipe
from headrace.runtimes.values import TIME_FORMAT
from headrace.tasks import Target

_DATATYPES = {"boolean": "BOOL", "integer": "INT64", "number": "FP64", "string": "BYTES", "timestamp": "BYTES"}


def signature_of(recipe: Recipe, target: Target) -> Signature:
    """One input a feature with the column's own type, any number of rows, or those declared; the task's outputs."""
    return Signature(
        task=recipe.task,
        inputs=target.inputs() or [_input(feature) for feature in recipe.features],
        outputs=target.outputs(),
        context=list(recipe.context) or None,
        task_options=dict(target.options) or None,
    )


def _input(feature: Column) -> Tensor:
    return Tensor(
        name=feature.name,
        datatype=_DATATYPES[feature.type],
        shape=[-1],
        nullable=feature.nullable,
        format=TIME_FORMAT if feature.type == "timestamp" else None,
    )
