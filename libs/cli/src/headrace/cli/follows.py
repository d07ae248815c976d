"""What follows from new data: which models train on it, and which do not, and why."""

import time
from collections.abc import Iterator
from typing import Any

from headrace.client.errors import HeadraceError
from headrace.client.sdk import POLL, Client, Document

WITHIN_S = 5.0  # the trainer hears of new data in milliseconds
NEW_DATA = "new-data"


def what_follows(client: Client, dataset: str, made: Document) -> list[Document]:
    """For each model of the dataset {model, run?, state?, text}; one {text} where no model learns from it.

    Whoever may upload, but not see models or runs, is told that.
    """
    if not made["created"]:
        return []
    try:
        names = [model["name"] for model in client.models() if model["dataset"] == dataset]
        if not names:
            return [{"text": f"no model learns from {dataset} yet; declare one with `headrace apply`"}]
        return list(_told(client, names, made["version"]))
    except HeadraceError as error:  # the data are taken all the same
        return [{"text": f"what follows is not known: {error}"}]


def _told(client: Client, names: list[str], version: int) -> Iterator[Document]:
    end = time.monotonic() + WITHIN_S
    for name in names:
        training = client.model(name)["declaration"].get("training") or {}
        if NEW_DATA not in training.get("on", [NEW_DATA]):
            text = f"{name} does not train on new data by itself (training.on); `headrace train {name}` trains it"
            yield {"model": name, "text": text}
        else:
            yield _began(name, _run_of(client, name, version, end))


def _began(model: str, run: Document | None) -> Document:
    if run is None:
        return {
            "model": model,
            "text": f"no run of {model} is there yet; `headrace runs list {model}` shows when it is",
        }
    waits = f", waits: {run['waits_detail']}" if run.get("waits_detail") else ""
    text = f"training of {model} began: run {run['run']} ({run['state']}{waits})"
    return {"model": model, "run": run["run"], "state": run["state"], "text": text}


def _run_of(client: Client, model: str, version: int, end: float) -> Document | None:
    """The run that learns from this version or waits for it, once the trainer has heard of it."""
    while True:
        if run := next((each for each in _newest(client, model) if _takes(each, version)), None):
            return run
        if time.monotonic() > end:
            return None
        time.sleep(POLL)


def _newest(client: Client, model: str) -> list[Document]:
    page: Any = client.http.json("GET", "trainer", "/runs", params={"model": model, "limit": 5})
    runs: list[Document] = page["items"]
    return runs


def _takes(run: Document, version: int) -> bool:
    """A run that has not begun takes the newest version when it does."""
    return run["dataset_version"] == version or run["state"] in ("queued", "waiting")
