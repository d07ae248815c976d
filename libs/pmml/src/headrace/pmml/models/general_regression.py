"""GeneralRegressionModel: linear predictors over a matrix of parameters, with a link."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from headrace.pmml.columns import constant, equal
from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.fields import DataField
from headrace.pmml.models.base import Head, check_function
from headrace.pmml.models.regression import normalized, softmax
from headrace.pmml.names import CLASSIFICATION, REGRESSION
from headrace.pmml.ops import Ops
from headrace.pmml.result import Result, decided
from headrace.pmml.scope import Scope
from headrace.pmml.xml import Element

T = TypeVar("T")
_PLAIN = (REGRESSION, "generalLinear", "generalizedLinear")
_INVERSE = {"identity": "none", "log": "exp", "logit": "logit", "probit": "probit", "cloglog": "cloglog",
            "loglog": "loglog"}  # fmt: skip
_LINKS = (*_INVERSE, "logc", "negbin", "oddspower", "power")


@dataclass(frozen=True)
class Cell:
    """How one field enters one parameter: a level of a factor, or a power of a covariate."""

    field: str
    value: str
    factor: bool
    line: int

    def run(self, scope: Scope[T]) -> T:
        """A number; of a factor 1 where it has the level, else 0."""
        ops, column = scope.ops, scope.get(self.field, self.line)
        if self.factor:
            return equal(ops, column, constant(ops, self.value, column.type, self.line))
        power = float(self.value)
        return column.data if power == 1.0 else ops.power(column.data, ops.number(power))


@dataclass(frozen=True)
class GeneralRegression:
    """The body of a GeneralRegressionModel."""

    kind: str
    link: str
    power: float
    offset: float
    offset_field: str | None
    trials: float
    trials_field: str | None
    cells: Mapping[str, Sequence[Cell]]
    """By parameter; a parameter without cells is an intercept."""
    betas: Mapping[str, Sequence[tuple[str, float]]]
    """(parameter, coefficient) by label; the empty label where there is one predictor alone."""
    labels: Sequence[str]
    line: int

    def run(self, scope: Scope[T], head: Head) -> Result[T]:
        """A number, or the probabilities of the labels."""
        ops = scope.ops
        products = {name: self._product(scope, cells) for name, cells in self.cells.items()}
        sums = {label: self._sum(scope, betas, products) for label, betas in self.betas.items()}
        if not head.classifies:
            return Result(value=self._linked(scope, sums[""]))
        if self.kind == "ordinalMultinomial":
            return decided(ops, self.labels, self._cumulative(ops, sums))
        if self.kind == "multinomialLogistic":
            zero = ops.number(0.0)
            return decided(ops, self.labels, softmax(ops, [sums.get(label, zero) for label in self.labels]))
        first = self._linked(scope, sums[self.labels[0]])
        return decided(ops, self.labels, ops.stack([first, ops.minus(ops.number(1.0), first)]))

    def _product(self, scope: Scope[T], cells: Sequence[Cell]) -> T:
        found = scope.ops.number(1.0)
        for cell in cells:
            found = scope.ops.times(found, cell.run(scope))
        return found

    def _sum(self, scope: Scope[T], betas: Sequence[tuple[str, float]], products: Mapping[str, T]) -> T:
        ops, found = scope.ops, scope.ops.number(self.offset)
        if self.offset_field is not None:
            found = ops.plus(found, scope.get(self.offset_field, self.line).data)
        for parameter, beta in betas:
            found = ops.plus(found, ops.times(ops.number(beta), products[parameter]))
        return found

    def _linked(self, scope: Scope[T], value: T) -> T:
        """The inverse of the link, times the trials."""
        ops, one = scope.ops, scope.ops.number(1.0)
        if self.link in _INVERSE:
            found = normalized(ops, _INVERSE[self.link], value)
        elif self.link == "logc":
            found = ops.minus(one, ops.function("exp", value))
        elif self.link == "negbin":
            inner = ops.minus(ops.function("exp", ops.minus(ops.number(0.0), value)), one)
            found = ops.divided(one, ops.times(ops.number(self.power), inner))
        elif self.link == "oddspower":
            base = ops.plus(one, ops.times(ops.number(self.power), value))
            back = ops.plus(one, ops.power(base, ops.number(-1.0 / self.power)))
            found = ops.divided(one, back)
        else:
            found = ops.power(value, ops.number(1.0 / self.power)) if self.power else ops.function("exp", value)
        if self.trials_field is not None:
            return ops.times(found, scope.get(self.trials_field, self.line).data)
        return found if self.trials == 1.0 else ops.times(found, ops.number(self.trials))

    def _cumulative(self, ops: Ops[T], sums: Mapping[str, T]) -> T:
        below = [normalized(ops, self.link, sums[label]) for label in self.labels[:-1]]
        steps = [below[0], *(ops.minus(b, a) for a, b in itertools.pairwise(below))]
        return ops.stack([*steps, ops.minus(ops.number(1.0), below[-1])])


def read_general_regression(element: Element, dictionary: Mapping[str, DataField]) -> GeneralRegression:
    """The body of a GeneralRegressionModel; raises Unsupported."""
    check_function(element, CLASSIFICATION, REGRESSION)
    kind = element.need("modelType")
    if kind not in (*_PLAIN, "multinomialLogistic", "ordinalMultinomial"):
        raise Unsupported(f"GeneralRegressionModel: modelType {kind!r} is not supported", element.line)
    cells = _cells(element)
    betas, labels = _betas(element, cells, dictionary)
    return GeneralRegression(
        kind=kind,
        link=_link(element, kind),
        power=element.number("linkParameter", element.number("distParameter", 1.0)),
        offset=element.number("offsetValue", 0.0),
        offset_field=element.attributes.get("offsetVariable"),
        trials=element.number("trialsValue", 1.0),
        trials_field=element.attributes.get("trialsVariable"),
        cells=cells,
        betas=betas,
        labels=labels,
        line=element.line,
    )


def _link(element: Element, kind: str) -> str:
    if kind == "ordinalMultinomial":
        return element.choice("cumulativeLink", "logit", "probit", "cloglog", "loglog", "cauchit")
    return element.choice("linkFunction", "identity", *_LINKS) if kind == "generalizedLinear" else "identity"


def _cells(element: Element) -> Mapping[str, Sequence[Cell]]:
    lists = {name: element.first(name) for name in ("ParameterList", "FactorList", "CovariateList", "PPMatrix")}
    factors = _names(lists["FactorList"])
    parameters = element.one("ParameterList").only("Parameter").all("Parameter")
    cells: dict[str, list[Cell]] = {each.need("name"): [] for each in parameters}
    matrix = lists["PPMatrix"]
    for each in matrix.only("PPCell").all("PPCell") if matrix else []:
        name, parameter = each.need("predictorName"), each.need("parameterName")
        if "targetCategory" in each.attributes:
            raise Unsupported("attribute targetCategory of PPCell is not supported", each.line)
        if parameter not in cells:
            raise BadPmml(f"PPCell names a parameter {parameter!r} that ParameterList does not have", each.line)
        cell = Cell(name, each.need("value"), name in factors, each.line)
        if not cell.factor:
            each.parsed(cell.value)
        cells[parameter].append(cell)
    return cells


def _names(element: Element | None) -> set[str]:
    if element is None:
        return set()
    predictors = element.only("Predictor").all("Predictor")
    for each in predictors:
        each.only()
        if "contrastMatrixType" in each.attributes:
            raise Unsupported("attribute contrastMatrixType of Predictor is not supported", each.line)
    return {each.need("name") for each in predictors}


def _betas(
    element: Element, cells: Mapping[str, Sequence[Cell]], dictionary: Mapping[str, DataField]
) -> tuple[Mapping[str, Sequence[tuple[str, float]]], Sequence[str]]:
    """The coefficients by label, and the labels, the reference the last."""
    found: dict[str, list[tuple[str, float]]] = {}
    everywhere: list[tuple[str, float]] = []
    for each in element.one("ParamMatrix").only("PCell").all("PCell"):
        name = each.need("parameterName")
        if name not in cells:
            raise BadPmml(f"PCell names a parameter {name!r} that ParameterList does not have", each.line)
        rows = found.setdefault(each.get("targetCategory"), []) if "targetCategory" in each.attributes else everywhere
        rows.append((name, each.number("beta")))
    if element.need("functionName") == REGRESSION:
        return {"": [*everywhere, *found.get("", [])]}, []
    return _by_label(element, found, everywhere, dictionary)


def _by_label(
    element: Element,
    found: dict[str, list[tuple[str, float]]],
    everywhere: list[tuple[str, float]],
    dictionary: Mapping[str, DataField],
) -> tuple[Mapping[str, Sequence[tuple[str, float]]], Sequence[str]]:
    schema = element.one("MiningSchema").all("MiningField")
    target = next((e.need("name") for e in schema if e.get("usageType") in ("target", "predicted")), "")
    data = dictionary.get(target)
    reference = element.attributes.get("targetReferenceCategory")
    known = list(data.valid) if data else []
    last = reference if reference is not None else next((v for v in reversed(known) if v not in found), None)
    if last is None:
        raise BadPmml("GeneralRegressionModel does not say its targetReferenceCategory", element.line)
    ordered = [each for each in known if each != last] or list(found)
    if element.get("modelType") in _PLAIN and not found:
        found = {ordered[0]: []}
    labels = [*(each for each in ordered if each in found or element.get("modelType") not in _PLAIN), last]
    return {label: [*everywhere, *found.get(label, [])] for label in labels[:-1]}, labels
