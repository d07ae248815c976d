"""Predictions for any number of rows: many rows a request, several requests in flight, the order kept."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from headrace.client.errors import HeadraceError, Rejected
from headrace.client.rows import Row, in_batches
from headrace.client.served import Served

Document = dict[str, Any]
Ask = Callable[[Mapping[str, Any]], Document]
"""Sends the body of one V2 request, returns the answer."""
Flight = tuple[list[Row], Future[Document]]

ROWS = 2_000  # of a request: about 0.5 MB of JSON with 20 columns, well under the server's limit
IN_FLIGHT = 4  # more only wait at the replica
PASSING = {429, 503}
TIMEOUT_S, FIRST_PAUSE_S, LONGEST_PAUSE_S = 60.0, 0.2, 5.0  # for a request that is to be asked again


def predictions(
    rows: Iterable[Row],
    served: Served,
    ask: Ask,
    *,
    keep: Sequence[str] = (),
    key: str | None = None,
    ignore_unknown: bool = False,
    parameters: Mapping[str, Any] | None = None,
) -> Iterator[list[Document]]:
    """The answers, some rows at a time, in the order of the rows.

    Each is {prediction_id, model_version, outputs}, and `kept` with the columns that `keep` names. Columns that the
    model logs are sent, those that only `keep` names are not; `key` names the column with the caller's own key of each
    row, by which truth can be reported. Raises HeadraceError with the place of a wrong row,
    after the answers to the requests before it.
    """

    def send(chunk: Sequence[Row]) -> Document:
        tensors = served.tensors([row.values for row in chunk], key)
        return ask({"inputs": tensors, **({"parameters": parameters} if parameters else {})})

    chunks = (_known(each, served, keep, key, ignore_unknown) for each in in_batches(_complete(rows, served), ROWS))
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for chunk, flight in _flights(chunks, lambda chunk: pool.submit(send, chunk)):
            yield _answered(chunk, flight, keep)


def patient(ask: Ask, longest: float = TIMEOUT_S, sleep: Callable[[float], None] = time.sleep) -> Ask:
    """The same, asked again where the replica says that it cannot answer now (429, 503), as late as it wishes.

    Such a request was not answered, so that asking again predicts nothing twice. For `longest` seconds in all; then
    the last refusal is raised.
    """

    def asking(body: Mapping[str, Any]) -> Document:
        waited, pause = 0.0, FIRST_PAUSE_S
        while True:
            try:
                return ask(body)
            except Rejected as error:
                wait = max(error.retry_after or 0.0, pause)
                if error.status not in PASSING or waited + wait > longest:
                    raise
            sleep(wait)
            waited, pause = waited + wait, min(2 * pause, LONGEST_PAUSE_S)

    return asking


def rows_of(document: Document) -> list[Document]:
    """One line a row of a V2 answer: {prediction_id, model_version, outputs}.

    Where outputs are numbers about labels, `about` says about which: {"probability": {"label": True}}.
    """
    prediction, version = document["parameters"]["prediction_id"], document["model_version"]
    outputs = document["outputs"]
    names = [output["name"] for output in outputs]
    values = zip(*map(_by_row, outputs), strict=True)
    about = {output["name"]: output["parameters"] for output in outputs if output.get("parameters")}
    labels = {"about": about} if about else {}
    return [
        {
            "prediction_id": f"{prediction}:{row}",
            "model_version": version,
            "outputs": dict(zip(names, each, strict=True)),
            **labels,
        }
        for row, each in enumerate(values)
    ]


def _by_row(output: Document) -> list[Any]:
    """One value a row, or one list a row of a tensor with more axes; data may be flat, as the protocol allows."""
    data = output["data"]
    if data and isinstance(data[0], list):
        return list(data)
    for size in reversed(output.get("shape", ())[1:]):
        data = [data[at : at + size] for at in range(0, len(data), size)] if size else data
    return list(data)


def _complete(rows: Iterable[Row], served: Served) -> Iterator[Row]:
    for row in rows:
        for name in served.required:
            if row.values.get(name) is None:
                raise HeadraceError(f"{row.place}, column {name!r} is empty; the contract says it is never missing")
        yield row


def _known(chunk: list[Row], served: Served, keep: Sequence[str], key: str | None, ignore_unknown: bool) -> list[Row]:
    names = dict.fromkeys(name for row in chunk for name in row.values)
    try:
        served.check(list(names), keep, key=key, ignore_unknown=ignore_unknown)
    except HeadraceError as error:
        raise HeadraceError(f"{_places(chunk)}: {error}") from error
    return chunk


def _flights(chunks: Iterable[list[Row]], sent: Callable[[list[Row]], Future[Document]]) -> Iterator[Flight]:
    """What was sent, in order, a few requests ahead; where reading ends in an error, what is on its way comes first."""
    ahead: deque[Flight] = deque()
    try:
        for chunk in chunks:
            ahead.append((chunk, sent(chunk)))
            if len(ahead) > IN_FLIGHT:
                yield ahead.popleft()
    except HeadraceError:
        yield from ahead
        raise
    yield from ahead


def _answered(chunk: Sequence[Row], flight: Future[Document], keep: Sequence[str]) -> list[Document]:
    try:
        answers = rows_of(flight.result())
    except Rejected as error:
        raise Rejected(error.status, f"{_places(chunk)}: {error.detail}", error.violations) from error
    if not keep:
        return answers
    return [
        {**answer, "kept": {name: row.values.get(name) for name in keep}}
        for answer, row in zip(answers, chunk, strict=True)
    ]


def _places(chunk: Sequence[Row]) -> str:
    first, last = chunk[0].place, chunk[-1].place
    return first if first == last else f"{first} to {last}"
