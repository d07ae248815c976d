"""What really happened, from a file: each value is read as the served model's labels are."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from headrace.client.errors import HeadraceError, Rejected, Unreachable
from headrace.client.rows import Row, opened, read
from headrace.contracts.cells import INTEGER, NUMBER, STRING, NotOfType, read_cell

if TYPE_CHECKING:
    from headrace.client.sdk import Client

Document = dict[str, Any]
NEEDED, ALSO = ("prediction_id", "value"), "at"


def read_truths(client: "Client", model: str, source: str) -> Iterator[Document]:
    """The truths of a file or of standard input (`-`): {prediction_id, value, at?}.

    Raises HeadraceError that names the line where a column or value is missing. A value that is none of the model's
    labels is passed on as it is: the monitor knows every label of every version, and names them.
    """
    kind = kind_of_truth(client, model)
    with opened(source) as stream:
        for row in read(stream, {"prediction_id": STRING, ALSO: STRING}, source):
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
    if missing := [name for name in NEEDED if name not in row.values]:
        raise HeadraceError(f"{source}: no column {', '.join(missing)}; it has {', '.join(row.values)}")
    if empty := [name for name in NEEDED if row.values[name] in (None, "")]:
        raise HeadraceError(f"{source}: {row.place}, column {empty[0]!r} is empty")
    at = row.values.get(ALSO)
    value = _value(row.values["value"], kind)
    return {"prediction_id": row.values["prediction_id"], "value": value, **({ALSO: at} if at else {})}


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
