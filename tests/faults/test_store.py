"""A large write to the object store breaks off in the middle; up to 4 GB it is one request, so there are no parts."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from headrace.objects import ObjectSettings, StoreAway, SyncObjectStore

pytestmark = pytest.mark.faults
SIZE = 20_000_000


def test_a_large_write_is_torn(rig: Any, row: Callable[[str], Any]) -> None:
    """There is nothing under its key afterwards, and the next attempt writes the whole."""
    key = json.loads(rig.layout.secret("s3.json").read_text())["ingest"]
    address = f"http://{rig.store_proxy.url}"
    store = SyncObjectStore(ObjectSettings(endpoint=address, access_key=key["access"], secret_key=key["secret"]))
    body = os.urandom(1000) * (SIZE // 1000)
    rig.store_proxy.cut_after = SIZE // 2

    with pytest.raises(StoreAway):
        store.put("datasets", body)
    rig.store_proxy.heal()
    half = [each for each in store.list("datasets", "") if each.size == len(body)]
    ref = store.put("datasets", body)

    line = row("object store: large write torn")
    line.trials, line.events = 1, 1
    whole = store.get(ref) == body
    line.lost, line.doubled = int(not whole), len(half)
    assert half == []
    assert whole
