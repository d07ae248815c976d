"""What really happened, from a file: each value is read as the served model's labels are."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from headrace.client.errors import HeadraceError, Rejected, Unreachable
from headrace.client.rows import Row, opened, read
from headrace.contracts.cells import INTEGER, NUMBER, STRING, NotOfType, read_cell

if TYPE_CHECKING:
    from headrace.client.sdk import Client

Document = dict[str, Any]
NAMED_BY, VALUE, ALSO = ("prediction_id", "key"), "value", "at"


def read_truths(client: "Client", model: str, source: str) -> Iterator[Document]:
    """The truths of a file or of standard input (`-`): {prediction_id or key, value, at?}.

    Raises HeadraceError that names the line where a column or value is missing. A value that is none of the model's
    labels is passed on as it is: the monitor knows every label of every version, and names them.
    """
    kind = kind_of_truth(client, model)
    with opened(source) as stream:
        for row in read(stream, {**dict.fromkeys(NAMED_BY, STRING), ALSO: STRING}, source):
            yield truth_of(row, kind, source)


def kind_of_truth(client: "Client", model: str) -> str | None:
    """How values are read: as the served version's labels, or its numbers; None where no version is served."""
    try:
        return client.served(model).truths
    except Unreachable:
        return None
    except Rejected as error:
        if error.status in (403, 404, 503):
            return None
        raise


def truth_of(row: Row, kind: str | None, source: str) -> Document:
    """One truth; raises HeadraceError that names what it lacks."""
    if VALUE not in row.values or not any(name in row.values for name in NAMED_BY):
        raise HeadraceError(
            f"{source}: columns {' or '.join(NAMED_BY)}, and {VALUE}, are needed; it has {', '.join(row.values)}"
        )
    named = {name: row.values[name] for name in NAMED_BY if row.values.get(name) not in (None, "")}
    if len(named) != 1:
        there = " and ".join(repr(name) for name in NAMED_BY if name in row.values)
        raise HeadraceError(f"{source}: {row.place}, {there}: exactly one is needed, and {len(named)} are filled in")
    if row.values[VALUE] in (None, ""):
        raise HeadraceError(f"{source}: {row.place}, column {VALUE!r} is empty")
    at = row.values.get(ALSO)
    return {**named, VALUE: _value(row.values[VALUE], kind), **({ALSO: at} if at else {})}


def _value(value: Any, kind: str | None) -> Any:
    if not isinstance(value, str) or kind == STRING:
        return value
    for each in (kind,) if kind else (INTEGER, NUMBER):
        try:
            read = read_cell(each, value)
        except NotOfType:
            continue
        return value if read is None else read
    return value
