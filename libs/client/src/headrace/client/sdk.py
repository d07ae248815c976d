"""The typed SDK: what a person or a program may ask of a stack, one method a question."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote

from headrace.client.addresses import Stack, find_stack
from headrace.client.errors import HeadraceError, Rejected, TimedOut
from headrace.client.http import Http, path_of
from headrace.client.predicting import patient, predictions
from headrace.client.rows import given, opened, read
from headrace.client.served import Served
from headrace.client.uris import ModelUri
from headrace.code.archive import pack
from headrace.contracts.services import SERVICES

Document = dict[str, Any]
T = TypeVar("T")
Progress = Callable[[int], None]
TERMINAL_RUN = frozenset({"completed", "failed", "cancelled"})
TERMINAL_VERSION = frozenset({"approved", "rejected", "expired", "revoked"})
POLL = 0.1  # seconds between two looks at something that follows by events
BLOCK = 1 << 20


class Client:
    """A stack's services as plain methods; answers are the services' own JSON documents.

    Every method raises Rejected when the service says no, Unreachable when it does not answer, and TimedOut when
    something waited for takes longer than its `timeout` in seconds.
    """

    def __init__(self, stack: Stack | None = None, *, trace_id: str | None = None, sampled: bool = True) -> None:
        self.http = Http(stack or find_stack(), trace_id=trace_id, sampled=sampled)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.http.close()

    # declare and feed

    def apply(self, declaration: Document) -> Document:
        """Declare a model; answers its revision and what changed."""
        path = path_of("models", str(declaration.get("name", "")))
        answer: Document = self.http.json("PUT", "registry", path, json=declaration)
        return answer

    def room(
        self,
        *,
        cpus: float = 1,
        gpus: float = 0,
        framework: str | None = None,
        custom: Mapping[str, float] | None = None,
        owner: str | None = None,
    ) -> str | None:
        """Why no such run could start; None where one could.

        No node holds it, its framework is not installed, or it is more than its owner, the team that the declaration
        names, may have at work.
        """
        asked: dict[str, Any] = {"cpus": cpus, "gpus": gpus, "framework": framework, "owner": owner}
        named = [f"{name}={amount:g}" for name, amount in (custom or {}).items()]
        params = {name: value for name, value in asked.items() if value is not None} | {"custom": named}
        answer: Document = self.http.json("GET", "trainer", "/room", params=params)
        lacks: str | None = answer["lacks"]
        return lacks

    def ingest(self, dataset: str, file: Path, *, mode: str = "append", progress: Progress | None = None) -> Document:
        """Upload `file` (CSV or Parquet, streamed) as a part of `dataset`; answers the dataset version it made."""
        kind = "application/vnd.apache.parquet" if file.suffix == ".parquet" else "text/csv"
        headers = {"content-type": kind, "x-source-name": quote(file.name)}
        with file.open("rb") as stream:
            answer: Document = self.http.json(
                "POST",
                "ingest",
                path_of("datasets", dataset, "files"),
                params={"mode": mode},
                headers=headers,
                content=_blocks(stream, progress),
            )
        return answer

    def push_code(self, package: str, folder: Path) -> Document:
        """Pack a folder and make it the newest version of a package of code; `created` is false where it was already.

        Raises BadPackage, which names the file that cannot be packed.
        """
        with TemporaryDirectory(prefix="headrace-code-") as scratch:
            packed = pack(folder, Path(scratch) / "package.tar")
            where = {"commit": packed.commit, "dirty": packed.dirty}
            with packed.archive.open("rb") as stream:
                answer = self.http.request(
                    "POST",
                    "trainer",
                    path_of("code", package, "files"),
                    params={name: value for name, value in where.items() if value is not None},
                    headers={"content-type": "application/x-tar"},
                    content=_blocks(stream, None),
                )
        return {**answer.json(), "created": answer.status_code == 201}

    def import_model(
        self, model: str, file: Path, name: str, progress: Progress | None = None, **wishes: Any
    ) -> Document:
        """Import a model that was made elsewhere; answers the import, which goes on by itself.

        `file` is the artifact, or a tar archive of its folder (see `artifacts.packed`), `name` what people call it;
        `wishes` are the fields of `request.import`.
        """
        headers = {"content-type": "application/octet-stream", "x-source-name": quote(name)}
        with file.open("rb") as stream:
            answer: Document = self.http.json(
                "POST",
                "trainer",
                path_of("models", model, "imports", "files"),
                params={"wishes": json.dumps(wishes)},
                headers=headers,
                content=_blocks(stream, progress),
            )
        return answer

    def wait_for_import(
        self, import_id: str, *, timeout: float = 1800, seen: Callable[[Document], None] = lambda _: None
    ) -> Document:
        """The import once it has ended; `seen` is called with each state on the way."""

        def look() -> Document:
            answer: Document = self.http.json("GET", "trainer", path_of("imports", import_id))
            return answer

        return _until(look, lambda i: i["state"] in TERMINAL_RUN, timeout, f"import {import_id}", seen)

    # train

    def train(self, model: str, *, reason: str = "asked for", **wishes: Any) -> Document:
        """Ask for a training run; answers the run, which goes on by itself."""
        body = {"reason": reason, **wishes}
        answer: Document = self.http.json("POST", "trainer", path_of("models", model, "runs"), json=body)
        return answer

    def run(self, run: str) -> Document:
        """One training run as it stands."""
        answer: Document = self.http.json("GET", "trainer", path_of("runs", run))
        return answer

    def logs(self, run: str, *, follow: bool = False) -> Iterator[str]:
        """What the code of a run has printed, bounded, piece by piece; with `follow` until the run has ended."""
        path = path_of("runs", run, "logs")
        yield from self.http.texts("GET", "trainer", path, params={"follow": follow})

    def cancel(self, run: str, reason: str = "asked for") -> Document:
        """Cancel a run that has not ended."""
        answer: Document = self.http.json("POST", "trainer", path_of("runs", run, "cancel"), json={"reason": reason})
        return answer

    def cancel_import(self, import_id: str, reason: str = "asked for") -> Document:
        """Cancel an import that has not ended; one that is cancelled already stays as it is."""
        path = path_of("imports", import_id, "cancel")
        answer: Document = self.http.json("POST", "trainer", path, json={"reason": reason})
        return answer

    def promote_run(self, run: str, reason: str = "asked for") -> Document:
        """Make a version of a completed run of an experiment."""
        answer: Document = self.http.json("POST", "trainer", path_of("runs", run, "promote"), json={"reason": reason})
        return answer

    def compare_runs(self, runs: Sequence[str], *, differs: bool = False) -> Document:
        """Runs side by side: {runs, lines}, a line {part, name, values, differs} for each thing that is known."""
        wished = {"run": list(runs), "differs": differs}
        answer: Document = self.http.json("GET", "trainer", "/comparison", params=wished)
        return answer

    def reproduce(self, uri: ModelUri, **wishes: Any) -> Document:
        """Ask for a run that makes a version again; once it is completed, its `reproduction` says what came of it."""
        number = uri.version if uri.version is not None else self._alias(uri)["version"]
        path = path_of("models", uri.name, "versions", number, "reproductions")
        answer: Document = self.http.json("POST", "trainer", path, json=wishes)
        return answer

    def wait_for_run(
        self, run: str, *, timeout: float = 1800, seen: Callable[[Document], None] = lambda _: None
    ) -> Document:
        """The run once it has ended; `seen` is called with each state on the way."""
        return _until(lambda: self.run(run), lambda r: r["state"] in TERMINAL_RUN, timeout, f"run {run}", seen)

    def wait_for_version(self, model: str, run: str, *, timeout: float = 600) -> Document:
        """The version that a run or an import made, once it is approved, rejected, or waits for people."""

        def decided(version: Document | None) -> bool:
            return version is not None and version["state"] in TERMINAL_VERSION | {"pending"}

        found = _until(lambda: self._version_of(model, run), decided, timeout, f"the version of run {run}")
        assert found is not None
        return found

    # know

    def models(self) -> list[Document]:
        """Every declared model."""
        return list(self.http.pages("registry", "/models"))

    def model(self, name: str) -> Document:
        """One declared model: declaration, revision, aliases."""
        answer: Document = self.http.json("GET", "registry", path_of("models", name))
        return answer

    def versions(self, model: str) -> list[Document]:
        """Every version of `model`, newest first."""
        return list(self.http.pages("registry", path_of("models", model, "versions")))

    def version(self, uri: ModelUri) -> Document:
        """One version, by number or by alias."""
        number = uri.version if uri.version is not None else self._alias(uri)["version"]
        answer: Document = self.http.json("GET", "registry", path_of("models", uri.name, "versions", number))
        return answer

    def decide(self, uri: ModelUri, decision: str, comment: str) -> Document:
        """Approve or reject (`decision`) the version that `uri` names."""
        number = self.version(uri)["version"]
        path = path_of("models", uri.name, "versions", number, decision)
        answer: Document = self.http.json("POST", "registry", path, json={"comment": comment})
        return answer

    def rollouts(self, model: str) -> list[Document]:
        """Every rollout of `model`, newest first."""
        return list(self.http.pages("deployer", "/rollouts", {"model": model}))

    # serve and watch

    def predict(self, model: str, columns: Mapping[str, Sequence[Any]], **parameters: Any) -> Document:
        """Predictions for the rows given column by column (V2 protocol); answers the V2 document.

        A column is a list, or an array or series of numpy or pandas; a gap is None or NaN.
        """
        body: Document = {"inputs": [_tensor(name, values) for name, values in columns.items()]}
        body |= {"parameters": parameters} if parameters else {}
        answer: Document = self.http.json("POST", "inference", path_of("v2", "models", model, "infer"), json=body)
        return answer

    def served(self, model: str) -> Served:
        """What the served model takes and answers, as its replica tells it."""
        return Served.of(self.http.json("GET", "inference", path_of("v2", "models", model)))

    def wait_until_served(
        self, model: str, *, timeout: float = 600, seen: Callable[[str], None] = lambda _: None
    ) -> Served:
        """The served model, once a version answers; `seen` hears what it waits for.

        Raises HeadraceError where nothing will follow by itself: the newest run failed, or its version was rejected,
        has expired, was revoked, or waits for people.
        """
        found = _until(lambda: self._served_or_why_not(model, seen), bool, timeout, f"the first version of {model}")
        assert found is not None
        return found

    def _served_or_why_not(self, model: str, seen: Callable[[str], None]) -> Served | None:
        try:
            return self.served(model)
        except Rejected as error:
            if error.status not in (404, 503):
                raise
        newest = next(self.http.pages("trainer", "/runs", {"model": model, "limit": 1}), None)
        seen(stands(model, newest, self.versions(model)))
        return None

    def predict_rows(
        self,
        model: str,
        source: str | Path | Iterable[Mapping[str, Any]],
        *,
        keep: Sequence[str] = (),
        key: str | None = None,
        ignore_unknown: bool = False,
        **parameters: Any,
    ) -> Iterator[Document]:
        """Predictions for the rows of a file (CSV, JSON, JSON lines or Parquet), or for rows that are at hand.

        Text is read by the signature of the served model. Answers come in the order of the rows, while the next rows
        are read: {prediction_id, model_version, outputs}, `about` with the labels of probabilities, and `kept` with the
        columns that `keep` names. `key` names the column with your own key of each row, by which truth can be reported.
        A replica that cannot answer now (429, 503) is asked again for a minute, as late as it wishes.
        """
        served = self.served(model)
        wishes: dict[str, Any] = {"keep": keep, "key": key, "ignore_unknown": ignore_unknown, "parameters": parameters}
        if isinstance(source, (str, Path)):
            with opened(str(source)) as stream:
                rows = read(stream, served.kinds, str(source))
                yield from chain.from_iterable(predictions(rows, served, self._asking(model), **wishes))
        else:
            rows = given(source, served.kinds)
            yield from chain.from_iterable(predictions(rows, served, self._asking(model), **wishes))

    def _asking(self, model: str) -> Callable[[Mapping[str, Any]], Document]:
        path = path_of("v2", "models", model, "infer")

        def ask(body: Mapping[str, Any]) -> Document:
            document: Document = self.http.json("POST", "inference", path, json=body)
            return document

        return patient(ask)

    def truth(self, model: str, labels: Sequence[Document]) -> Document:
        """Report what really happened: labels are {prediction_id or key, value, at?}."""
        body = {"labels": list(labels)}
        answer: Document = self.http.json("POST", "monitor", path_of("models", model, "truth"), json=body)
        return answer

    def windows(self, model: str) -> list[Document]:
        """Every evaluated window of `model`, newest first."""
        return list(self.http.pages("monitor", path_of("models", model, "windows")))

    # prove

    def trace(self, prediction_id: str) -> Document:
        """The chain behind one prediction: request, model, run, dataset, file, and every event on the way."""
        answer: Document = self.http.json("GET", "audit", path_of("trace", "prediction", prediction_id))
        return answer

    def dead_letters(self) -> Iterator[Document]:
        """What could not be handled, of every service."""
        for service in SERVICES:
            yield from ({**item, "service": service} for item in self.http.pages(service, "/dead-letters"))

    def _alias(self, uri: ModelUri) -> Document:
        answer: Document = self.http.json("GET", "registry", path_of("models", uri.name, "aliases", uri.alias))
        return answer

    def _version_of(self, model: str, run: str) -> Document | None:
        return next((each for each in self.versions(model) if run in (each.get("run"), each.get("import_id"))), None)


def stands(model: str, run: Document | None, versions: Sequence[Document]) -> str:
    """What a model without a served version waits for; raises HeadraceError where that is nothing."""
    if run is None:
        return f"{model} waits for its first run: it trains when its dataset has data, or with `headrace train {model}`"
    made = next((version for version in versions if version.get("run") == run["run"]), None)
    if run["state"] in ("failed", "cancelled"):
        raise HeadraceError(f"run {run['run']} {run['state']}: `headrace runs show {run['run']}` says why")
    if made is not None and made["state"] in ("rejected", "expired", "revoked"):
        raise HeadraceError(f"version {made['version']} was {made['state']}: {made.get('reason')}")
    if made is not None and made["state"] == "pending":
        raise HeadraceError(
            f"version {made['version']} waits for people: headrace approve models:/{model}/{made['version']}"
        )
    return f"run {run['run']}: {run['state']}" if made is None else f"version {made['version']}: {made['state']}"


def _blocks(stream: BinaryIO, progress: Progress | None) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block
        if progress:
            progress(len(block))


def _tensor(name: str, values: Iterable[Any]) -> Document:
    plain = [_plain(value) for value in values]
    shape = shape_of(plain)
    return {"name": name, "shape": shape, "datatype": datatype(_flat(plain, len(shape))), "data": plain}


def shape_of(values: Any) -> list[int]:
    """The shape of nested lists, by the first one of each level."""
    return [len(values), *(shape_of(values[0]) if values and isinstance(values[0], list) else [])]


def _flat(values: Any, levels: int) -> Sequence[Any]:
    return values if levels == 1 else [each for inner in values for each in _flat(inner, levels - 1)]


def _plain(value: Any) -> Any:
    """A value as JSON holds it: numpy's become Python's, and what is no number is a gap."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return None if isinstance(value, float) and value != value else value


def datatype(values: Sequence[Any]) -> str:
    """The V2 datatype of a column: BOOL, INT64, BYTES, or FP64 for numbers with or without gaps."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {str}:
        return "BYTES"
    return "INT64" if kinds == {int} and None not in values else "FP64"


def _until(
    look: Callable[[], T],
    done: Callable[[T], bool],
    timeout: float,
    what: str,
    seen: Callable[[T], None] = lambda _: None,
) -> T:
    deadline = time.monotonic() + timeout
    while True:
        value = look()
        seen(value)
        if done(value):
            return value
        if time.monotonic() > deadline:
            raise TimedOut(f"{what} has not ended after {timeout:.0f} s; it goes on, ask again later")
        time.sleep(POLL)
