"""What all models share: schema, transformations, targets, outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from headrace.pmml.columns import DOUBLE, TEXT, Column
from headrace.pmml.errors import Unsupported
from headrace.pmml.expressions import Derived, read_all_derived
from headrace.pmml.fields import DataField, MiningField, Treated, check_type, read_schema, treat
from headrace.pmml.names import CLASSIFICATION
from headrace.pmml.outputs import OutputField, read_outputs, run_outputs
from headrace.pmml.result import Result
from headrace.pmml.scope import Scope
from headrace.pmml.targets import Target, read_targets
from headrace.pmml.xml import Element

T = TypeVar("T")
ABOUT = (
    "MiningSchema",
    "LocalTransformations",
    "Output",
    "Targets",
    "ModelStats",
    "ModelExplanation",
    "ModelVerification",
)
"""The children that every model may have beside its own."""


@dataclass(frozen=True)
class Head:
    """What a model says of itself."""

    function: str
    schema: Sequence[MiningField]
    derived: Mapping[str, Derived]
    outputs: Sequence[OutputField]
    targets: Mapping[str, Target]
    dictionary: Mapping[str, DataField]
    line: int

    @property
    def classifies(self) -> bool:
        """Whether it answers with a label."""
        return self.function == CLASSIFICATION

    @property
    def target(self) -> str | None:
        """The field that it predicts, where it says one."""
        return next((each.name for each in self.schema if each.is_target), None)

    @property
    def target_type(self) -> str:
        """The type of its answer."""
        data = self.dictionary.get(self.target or "")
        if data is None:
            return TEXT if self.classifies else DOUBLE
        return check_type(data)


class Body(Protocol):
    """One kind of model."""

    def run(self, scope: Scope[T], head: Head) -> Result[T]:
        """Its answer for every row."""
        ...


@dataclass(frozen=True)
class Model:
    """A model with its body."""

    head: Head
    body: Body


def read_head(element: Element, dictionary: Mapping[str, DataField], *own: str) -> Head:
    """What a model says of itself; `own` are its children beside those of every model."""
    element.only(*ABOUT, *own)
    if element.get("isScorable", "true") != "true":
        raise Unsupported(f"{element.tag} says that it cannot be scored (isScorable)", element.line)
    return Head(
        function=element.need("functionName"),
        schema=read_schema(element.one("MiningSchema")),
        derived=read_all_derived(element.first("LocalTransformations")),
        outputs=read_outputs(element.first("Output")),
        targets=read_targets(element.first("Targets")),
        dictionary=dictionary,
        line=element.line,
    )


def check_function(element: Element, *allowed: str) -> None:
    """Raise Unsupported where a model's function is another one."""
    if element.need("functionName") not in allowed:
        raise Unsupported(f"{element.tag}: functionName {element.get('functionName')!r} is not supported", element.line)


def entered(head: Head, outer: Scope[T]) -> Scope[T]:
    """The scope of a model: its fields as it takes them, and those that it derives."""
    values = {mining.name: _treated(head, outer, mining) for mining in head.schema if mining.is_active}
    return outer.inner(values, head.derived)


def _treated(head: Head, outer: Scope[T], mining: MiningField) -> Column[T]:
    run, column = outer.run, outer.get(mining.name, mining.line)
    identity = column.data if isinstance(column.data, str) else id(column.data)
    key = (replace(mining, line=0), identity)
    if key not in run.treated:
        told: Treated[T] = Treated()
        data = None if outer.derives(mining.name) else head.dictionary.get(mining.name)
        treat(run.ops, column, data, mining, told)
        run.treated[key] = told.values[mining.name], told.refused
        run.treated[("kept", identity)] = column, None  # so that its identity is not given to another
        if told.refused is not None:
            run.refused = told.refused if run.refused is None else run.ops.either(run.refused, told.refused)
    return run.treated[key][0]


def answered(model: Model, scope: Scope[T]) -> tuple[Result[T], Mapping[str, Column[T]]]:
    """A model's answer in its own scope, targets applied, and its output fields."""
    head = model.head
    result = model.body.run(scope, head)
    target = head.targets.get(head.target or "") or head.targets.get("")
    if target is not None:
        result = target.applied(scope.ops, result)
    return result, run_outputs(head.outputs, scope, result, head.target_type)
