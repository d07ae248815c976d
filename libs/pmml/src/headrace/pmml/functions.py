"""The built-in functions of Apply, by the standard's names."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeVar

from headrace.pmml.columns import (
    DOUBLE,
    SINGLE,
    TEXT,
    TRUTH,
    WHOLE,
    Column,
    cast,
    half_up,
    missing,
    replaced,
)
from headrace.pmml.errors import BadPmml
from headrace.pmml.ops import Ops
from headrace.pmml.predicates import combine, compared, holds

T = TypeVar("T")
MANY = 10_000
Run = Callable[[Any, Sequence[Column[Any]], int], Column[Any]]


@dataclass(frozen=True)
class Function:
    """How it is computed, and how many arguments it takes."""

    run: Run
    least: int
    most: int


def _result(one: Column[T], other: Column[T]) -> str:
    """The type of a sum of two columns."""
    kinds = {one.type, other.type} - {WHOLE, TRUTH}
    if not kinds:
        return WHOLE
    return SINGLE if kinds == {SINGLE} else DOUBLE


def _rounded(ops: Ops[T], data: T, kind: str) -> Column[T]:
    return Column(ops.single(data) if kind == SINGLE else data, kind)


def _arithmetic(operation: str) -> Run:
    def run(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        one, other = _numbers(given, line)
        return _rounded(ops, getattr(ops, operation)(one.data, other.data), _result(one, other))

    return run


def _divide(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
    """Whole numbers give a whole number, cut towards zero."""
    one, other = _numbers(given, line)
    found = _rounded(ops, ops.divided(one.data, other.data), _result(one, other))
    return cast(ops, Column(found.data, DOUBLE), WHOLE) if found.type == WHOLE else found


def _modulo(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
    """With the sign of the divisor."""
    one, other = _numbers(given, line)
    times = ops.function("floor", ops.divided(one.data, other.data))
    return _rounded(ops, ops.minus(one.data, ops.times(times, other.data)), _result(one, other))


def _numbers(given: Sequence[Column[T]], line: int) -> Sequence[Column[T]]:
    if any(each.is_text for each in given):
        raise BadPmml("a function of numbers is given text", line)
    return given


def _unary(name: str, kind: str | None = None) -> Run:
    """A function by numpy's name; the type is the argument's where none is said."""

    def run(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        (one,) = _numbers(given, line)
        of = kind or (DOUBLE if one.type in (WHOLE, TRUTH) else one.type)
        return _rounded(ops, ops.function(name, one.data), of)

    return run


def _same_type(name: str) -> Run:
    """A function that leaves whole numbers whole."""

    def run(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        (one,) = _numbers(given, line)
        return Column(ops.function(name, one.data), one.type)

    return run


def _round(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
    """Halves go up."""
    (one,) = _numbers(given, line)
    return Column(half_up(ops, one.data), one.type)


def _log10(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
    (one,) = _numbers(given, line)
    return _rounded(ops, ops.function("log10", one.data), SINGLE if one.type == SINGLE else DOUBLE)


def _power(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
    one, other = _numbers(given, line)
    return _rounded(ops, ops.power(one.data, other.data), _result(one, other))


def _threshold(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
    one, other = _numbers(given, line)
    return Column(compared(ops, "greaterThan", one, other, line), WHOLE)


def _aggregate(combine_two: Callable[[Any, Any, Any], Any], mean: bool = False) -> Run:
    """Missing arguments are passed over."""

    def run(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        _numbers(given, line)
        found, count = given[0].data, ops.flag(ops.known(given[0].data))
        kind = given[0].type
        for each in given[1:]:
            kind = _result(Column(found, kind), each)
            there = ops.known(each.data)
            joined = ops.where(ops.known(found), combine_two(ops, found, each.data), each.data)
            found, count = ops.where(there, joined, found), ops.plus(count, ops.flag(there))
        return Column(ops.divided(found, count), DOUBLE) if mean else _rounded(ops, found, kind)

    return run


def _smaller(ops: Ops[T], one: T, other: T) -> T:
    return ops.where(ops.less(other, one), other, one)


def _greater(ops: Ops[T], one: T, other: T) -> T:
    return ops.where(ops.less(one, other), other, one)


def _comparison(operator: str) -> Run:
    def run(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        return Column(compared(ops, operator, given[0], given[1], line), TRUTH)

    return run


def _logic(operator: str) -> Run:
    def run(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        found, *others = _numbers(given, line)
        data = found.data
        for each in others:
            data = combine(ops, operator, data, each.data)
        return Column(data, TRUTH)

    return run


def _not(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
    (one,) = _numbers(given, line)
    return Column(ops.minus(ops.number(1.0), one.data), TRUTH)


def _is_missing(missing_is: bool) -> Run:
    def run(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        known = ops.known(given[0].data)
        return Column(ops.flag(ops.negate(known) if missing_is else known), TRUTH)

    return run


def _is_in(inside: bool) -> Run:
    """A missing value is in no set."""

    def run(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        found = holds(ops, compared(ops, "equal", given[0], given[1], line))
        for each in given[2:]:
            found = ops.either(found, holds(ops, compared(ops, "equal", given[0], each, line)))
        return Column(ops.flag(found if inside else ops.negate(found)), TRUTH)

    return run


def _if(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
    """Without a third argument the answer is missing where the condition is false."""
    (condition,), yes = _numbers(given[:1], line), given[1]
    no = given[2] if len(given) > 2 else Column(missing(ops), yes.type)
    kind = yes.type if yes.type == no.type or len(given) < 3 else _result(yes, no)
    if yes.is_text != no.is_text:
        raise BadPmml("the two answers of if have different types", line)
    found = ops.where(holds(ops, condition.data), yes.data, no.data)
    return Column(ops.where(ops.known(condition.data), found, missing(ops)), kind, yes.open or no.open)


def _texts(function: Callable[..., str | float | None], kind: str = TEXT) -> Run:
    """A function of a text, which graphs do not have: a number is taken as text, what stands behind it are numbers."""

    def run(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        text, numbers = cast(ops, given[0], TEXT), _numbers(given[1:], line)
        columns = [text.data, *(each.data for each in numbers)]
        data = ops.spelled("a function of texts", function, *columns, texts=[True] + [False] * len(numbers))
        return Column(data, kind, open=kind == TEXT)

    return run


def _each(reason: str, function: Callable[..., float]) -> Run:
    def run(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
        _numbers(given, line)
        return Column(ops.each(reason, function, *(each.data for each in given)), DOUBLE)

    return run


def _substring(text: str, start: float, length: float) -> str | None:
    """Places begin at 1; missing where there is no such place or length."""
    begin, count = int(start) - 1, int(length)
    return None if begin < 0 or count < 0 else text[begin : begin + count]


def _concat(ops: Ops[T], given: Sequence[Column[T]], line: int) -> Column[T]:
    """Numbers as text; what is missing is passed over."""
    none = ops.code("")
    parts = [replaced(ops, cast(ops, each, TEXT).data, none) for each in given]
    found = ops.spelled("a function of texts", lambda *texts: "".join(texts), *parts, texts=[True] * len(parts))
    return Column(found, TEXT, open=True)


def normal_cdf(value: float) -> float:
    """The share of the standard normal distribution below a value."""
    return 0.5 * math.erfc(-value / math.sqrt(2.0))


def _positive(deviation: float) -> float:
    if deviation <= 0:
        raise ValueError("a standard deviation is above 0")
    return deviation


def _guarded(function: Callable[..., float]) -> Callable[..., float]:
    """Missing where a function has no value."""

    def run(*arguments: float) -> float:
        try:
            return function(*arguments)
        except (ValueError, OverflowError):
            return math.nan

    return run


_UNARY: Mapping[str, str] = {
    **{name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "expm1")},
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "ln1p": "log1p",
}  # by numpy's names
_OF_ONE: Mapping[str, Callable[[float], float]] = {
    "erf": math.erf,
    "stdNormalCDF": normal_cdf,
    "stdNormalPDF": NormalDist().pdf,
    "stdNormalIDF": NormalDist().inv_cdf,
}
_OF_THREE: Mapping[str, Callable[[float, float, float], float]] = {
    "normalCDF": lambda x, mean, deviation: normal_cdf((x - mean) / _positive(deviation)),
    "normalPDF": lambda x, mean, deviation: NormalDist(mean, _positive(deviation)).pdf(x),
    "normalIDF": lambda p, mean, deviation: NormalDist(mean, _positive(deviation)).inv_cdf(p),
}

FUNCTIONS: Mapping[str, Function] = {
    "+": Function(_arithmetic("plus"), 2, 2),
    "-": Function(_arithmetic("minus"), 2, 2),
    "*": Function(_arithmetic("times"), 2, 2),
    "/": Function(_divide, 2, 2),
    "modulo": Function(_modulo, 2, 2),
    "pow": Function(_power, 2, 2),
    "threshold": Function(_threshold, 2, 2),
    "min": Function(_aggregate(_smaller), 1, MANY),
    "max": Function(_aggregate(_greater), 1, MANY),
    "sum": Function(_aggregate(lambda ops, a, b: ops.plus(a, b)), 1, MANY),
    "product": Function(_aggregate(lambda ops, a, b: ops.times(a, b)), 1, MANY),
    "avg": Function(_aggregate(lambda ops, a, b: ops.plus(a, b), mean=True), 1, MANY),
    "exp": Function(_unary("exp"), 1, 1),
    "ln": Function(_unary("log"), 1, 1),
    "log10": Function(_log10, 1, 1),
    "sqrt": Function(_unary("sqrt"), 1, 1),
    **{name: Function(_unary(numpy), 1, 1) for name, numpy in _UNARY.items()},
    "hypot": Function(_each("the function hypot", math.hypot), 2, 2),
    "atan2": Function(_each("the function atan2", math.atan2), 2, 2),
    "abs": Function(_same_type("abs"), 1, 1),
    "floor": Function(_same_type("floor"), 1, 1),
    "ceil": Function(_same_type("ceil"), 1, 1),
    "rint": Function(_same_type("rint"), 1, 1),
    "round": Function(_round, 1, 1),
    "isMissing": Function(_is_missing(True), 1, 1),
    "isNotMissing": Function(_is_missing(False), 1, 1),
    "equal": Function(_comparison("equal"), 2, 2),
    "notEqual": Function(_comparison("notEqual"), 2, 2),
    "lessThan": Function(_comparison("lessThan"), 2, 2),
    "lessOrEqual": Function(_comparison("lessOrEqual"), 2, 2),
    "greaterThan": Function(_comparison("greaterThan"), 2, 2),
    "greaterOrEqual": Function(_comparison("greaterOrEqual"), 2, 2),
    "and": Function(_logic("and"), 2, MANY),
    "or": Function(_logic("or"), 2, MANY),
    "not": Function(_not, 1, 1),
    "isIn": Function(_is_in(True), 2, MANY),
    "isNotIn": Function(_is_in(False), 2, MANY),
    "if": Function(_if, 2, 3),
    "uppercase": Function(_texts(lambda text: text.upper()), 1, 1),
    "lowercase": Function(_texts(lambda text: text.lower()), 1, 1),
    "trimBlanks": Function(_texts(lambda text: text.strip()), 1, 1),
    "stringLength": Function(_texts(lambda text: float(len(text)), WHOLE), 1, 1),
    "substring": Function(_texts(_substring), 3, 3),
    "concat": Function(_concat, 2, MANY),
    **{name: Function(_each(f"the function {name}", _guarded(run)), 1, 1) for name, run in _OF_ONE.items()},
    **{name: Function(_each(f"the function {name}", _guarded(run)), 3, 3) for name, run in _OF_THREE.items()},
}
