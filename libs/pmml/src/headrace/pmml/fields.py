"""DataDictionary and MiningSchema: which values a field may have, and what becomes of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from headrace.pmml.columns import TEXT, Column, among, literal, missing, type_of
from headrace.pmml.errors import BadPmml, Unsupported
from headrace.pmml.ops import Ops
from headrace.pmml.xml import Element

T = TypeVar("T")
_ACTIVE, _TARGETS = "active", ("target", "predicted")
_IGNORED = ("supplementary", "frequencyWeight", "analysisWeight")


@dataclass(frozen=True)
class Interval:
    """A range of numbers."""

    left: float
    right: float
    open_left: bool
    open_right: bool

    def holds(self, ops: Ops[T], data: T) -> T:
        """Whether values lie in it; a condition."""
        left, right = ops.number(self.left), ops.number(self.right)
        above = ops.less(left, data) if self.open_left else ops.at_most(left, data)
        below = ops.less(data, right) if self.open_right else ops.at_most(data, right)
        return ops.both(above, below)


@dataclass(frozen=True)
class DataField:
    """A field of the DataDictionary, with the texts of its values."""

    name: str
    type: str
    optype: str
    line: int
    valid: Sequence[str] = ()
    invalid: Sequence[str] = ()
    absent: Sequence[str] = ()
    intervals: Sequence[Interval] = ()

    def keys(self, ops: Ops[T], texts: Sequence[str]) -> list[float]:
        """Values as columns hold them."""
        return [literal(ops, text, self.type, self.line) for text in texts]

    def validity(self, ops: Ops[T], column: Column[T]) -> T | None:
        """Which values are allowed, a condition; None where all are. Missing ones are neither."""
        found: T | None = None
        if self.valid:
            found = among(ops, column, self.keys(ops, self.valid))
        for interval in self.intervals:
            inside = interval.holds(ops, column.data)
            found = inside if found is None else ops.either(found, inside)
        if self.invalid:
            allowed = ops.negate(among(ops, column, self.keys(ops, self.invalid)))
            found = allowed if found is None else ops.both(found, allowed)
        return found


@dataclass(frozen=True)
class MiningField:
    """How a model takes a field."""

    name: str
    usage: str
    line: int
    outliers: str = "asIs"
    low: float | None = None
    high: float | None = None
    replacement: str | None = None
    missing: str = "asIs"
    invalid: str = "returnInvalid"
    invalid_replacement: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether the model takes it."""
        return self.usage == _ACTIVE

    @property
    def is_target(self) -> bool:
        """Whether the model predicts it."""
        return self.usage in _TARGETS


@dataclass
class Treated(Generic[T]):
    """Fields as a model takes them, and the rows of which it makes nothing (a condition)."""

    values: dict[str, Column[T]] = field(default_factory=dict)
    refused: T | None = None

    def refuse(self, ops: Ops[T], rows: T) -> None:
        """More rows."""
        self.refused = rows if self.refused is None else ops.either(self.refused, rows)


def read_dictionary(element: Element) -> Mapping[str, DataField]:
    """The fields by name; raises BadPmml. A field of dates is refused where a model takes it."""
    fields = [_data_field(each) for each in element.only("DataField", "Taxonomy").all("DataField")]
    return {each.name: each for each in fields}


def read_schema(element: Element) -> list[MiningField]:
    """The fields of a model, in their order."""
    return [_mining_field(each) for each in element.only("MiningField").all("MiningField")]


def read_interval(element: Element) -> Interval:
    """A range; what is not said is infinite."""
    closure = element.choice("closure", "", "openClosed", "openOpen", "closedOpen", "closedClosed")
    if not closure:
        raise BadPmml("Interval has no attribute closure", element.line)
    left = element.number("leftMargin", float("-inf"))
    right = element.number("rightMargin", float("inf"))
    return Interval(left, right, closure.startswith("open"), closure.endswith("Open"))


def treat(ops: Ops[T], column: Column[T], data: DataField | None, mining: MiningField, told: Treated[T]) -> None:
    """Replace what is missing, invalid or out of range, as field and model say; `told` has the outcome."""
    value = column.data
    if data is not None:
        value, column = _validated(ops, column, data, mining, told)
    if mining.outliers != "asIs":
        value = _within(ops, value, mining)
    if mining.missing == "returnInvalid":
        told.refuse(ops, ops.negate(ops.known(value)))
    elif mining.replacement is not None:
        filler = literal(ops, mining.replacement, column.type, mining.line)
        value = ops.where(ops.known(value), value, ops.number(filler))
    told.values[mining.name] = Column(value, column.type, column.open)


def _validated(
    ops: Ops[T], column: Column[T], data: DataField, mining: MiningField, told: Treated[T]
) -> tuple[T, Column[T]]:
    value = column.data
    if data.absent:
        value = ops.where(among(ops, column, data.keys(ops, data.absent)), missing(ops), value)
    valid = data.validity(ops, Column(value, column.type, column.open))
    if valid is None or mining.invalid == "asIs":
        return value, column
    bad = ops.both(ops.known(value), ops.negate(valid))
    if mining.invalid == "returnInvalid":
        told.refuse(ops, bad)
    filler = missing(ops)
    if mining.invalid == "asValue":
        if mining.invalid_replacement is None:
            raise BadPmml(f"field {mining.name!r} has no attribute invalidValueReplacement", mining.line)
        filler = ops.number(literal(ops, mining.invalid_replacement, column.type, mining.line))
    return ops.where(bad, filler, value), Column(value, column.type, column.open and not data.valid)


def _within(ops: Ops[T], value: T, mining: MiningField) -> T:
    """Values beyond the bounds are the bound, or missing."""
    clamps = mining.outliers == "asExtremeValues"
    if mining.low is not None:
        low = ops.number(mining.low)
        value = ops.where(ops.less(value, low), low if clamps else missing(ops), value)
    if mining.high is not None:
        high = ops.number(mining.high)
        value = ops.where(ops.less(high, value), high if clamps else missing(ops), value)
    return value


def _data_field(element: Element) -> DataField:
    element.only("Value", "Interval")
    kind = element.need("dataType")
    values = element.all("Value")
    return DataField(
        name=element.need("name"),
        type=kind,
        optype=element.choice("optype", "continuous", "categorical", "ordinal"),
        line=element.line,
        valid=_texts(values, "valid"),
        invalid=_texts(values, "invalid"),
        absent=_texts(values, "missing"),
        intervals=[read_interval(each) for each in element.all("Interval")],
    )


def _texts(values: Sequence[Element], kept: str) -> list[str]:
    return [each.need("value") for each in values if each.choice("property", "valid", "invalid", "missing") == kept]


def _mining_field(element: Element) -> MiningField:
    usage = element.get("usageType", _ACTIVE)
    if usage not in (_ACTIVE, *_TARGETS, *_IGNORED):
        raise Unsupported(f"MiningField: usageType {usage!r} is not supported", element.line)
    bounds = {name: element.number(name) if name in element.attributes else None for name in ("lowValue", "highValue")}
    return MiningField(
        name=element.need("name"),
        usage=usage,
        line=element.line,
        outliers=element.choice("outliers", "asIs", "asMissingValues", "asExtremeValues"),
        low=bounds["lowValue"],
        high=bounds["highValue"],
        replacement=element.attributes.get("missingValueReplacement"),
        missing=element.choice(
            "missingValueTreatment", "asIs", "asMean", "asMode", "asMedian", "asValue", "returnInvalid"
        ),
        invalid=element.choice("invalidValueTreatment", "returnInvalid", "asIs", "asMissing", "asValue"),
        invalid_replacement=element.attributes.get("invalidValueReplacement"),
    )


def check_type(data: DataField) -> str:
    """The type of a field that a model takes; raises Unsupported for dates and times."""
    return type_of(Element("DataField", {"dataType": data.type}, data.line), default=TEXT)
