"""The composition root of audit."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import mkstemp

from headrace.audit import api
from headrace.audit.handlers import on_messages
from headrace.audit.mirror import BUCKET, mirror
from headrace.audit.settings import AuditSettings
from headrace.audit.timers import check_itself, publish_checkpoints, watch_gaps
from headrace.chassis import Dependency, Service
from headrace.objects import ObjectStore, StoreAway, object_store
from headrace.tlog import SigningKey

STREAMS = ("EVENTS", "REQUESTS", "PREDICTIONS", "PARKED", "ADVISORIES")


def build(settings: AuditSettings) -> Service:
    """Wire audit: what it records, what it watches, what it shows."""
    key = signing_key(settings.audit_origin, settings.audit_key_file)
    store = object_store(settings.objects)
    return Service(
        name="audit",
        settings=settings,
        subscriptions={},
        batch_subscriptions={stream: partial(on_messages, key=key) for stream in STREAMS},
        routes=[api.router],
        provides={SigningKey: key, ObjectStore: store},
        background=[
            publish_checkpoints(settings, key),
            check_itself(settings, key, store),
            watch_gaps(settings, key),
            mirror(key, store),
        ],
        dependencies=[Dependency("objects", partial(store.probe, BUCKET), (StoreAway,), vital=False)],
        migrations=Path(__file__).parent / "migrations",
    )


def signing_key(origin: str, path: Path) -> SigningKey:
    """The log's key out of its file; made at the first start, readable by its owner alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_key(path)
    seed = bytes.fromhex(path.read_text().strip())
    if len(seed) != 32:
        raise ValueError(f"{path} holds {len(seed)} bytes; an Ed25519 seed has 32, in hex")
    key = SigningKey(origin, seed)
    _show(key, path.with_suffix(".pub"))
    return key


def _show(key: SigningKey, path: Path) -> None:
    """Put the verifying key beside the other: who owns the folder trusts it without asking the service."""
    with suppress(OSError):  # a mounted secret is read-only, and whoever mounted it knows its public half
        if not path.exists() or path.read_text().strip() != str(key.verifying_key):
            path.touch(mode=0o600)
            path.write_text(f"{key.verifying_key}\n")


def _make_key(path: Path) -> None:
    """Write a new seed; of several processes that start at once, one wins, and none reads half a file."""
    descriptor, draft = mkstemp(dir=path.parent)  # readable by its owner alone
    with os.fdopen(descriptor, "w") as file:
        file.write(os.urandom(32).hex())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        Path(draft).unlink()
