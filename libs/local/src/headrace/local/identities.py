"""Identities of a stack, made at its first start and kept: nkeys, object store keys, the first API key."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nkeys

from headrace.contracts.topology import load_topology
from headrace.local.layout import Layout


@dataclass(frozen=True)
class S3Key:
    """An identity's key to the object store."""

    access: str
    secret: str


def nats_keys(layout: Layout) -> dict[str, str]:
    """Each identity's public nkey; seeds are made where they are missing."""
    return {identity: _public(layout.seed(identity)) for identity in load_topology().identities}


def s3_keys(layout: Layout, identities: Mapping[str, object]) -> dict[str, S3Key]:
    """The object store's keys, `root` among them."""
    file = layout.secret("s3.json")
    known = json.loads(file.read_text()) if file.is_file() else {}
    for name in ("root", *identities):
        known.setdefault(name, {"access": f"headrace-{name}", "secret": secrets.token_hex(20)})
    write_private(file, json.dumps(known, indent=2))
    return {name: S3Key(**key) for name, key in known.items()}


def ray_token(layout: Layout) -> Path:
    """The token that Ray asks of whoever connects."""
    file = layout.secret("ray.token")
    if not file.is_file():
        write_private(file, secrets.token_hex(32))
    return file


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner reads; it is never readable by others in between."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_suffix(f"{file.suffix}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    draft.replace(file)


def _public(seed_file: Path) -> str:
    if not seed_file.is_file():
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        write_private(seed_file, seed.decode())
    pair = nkeys.from_seed(seed_file.read_text().strip().encode())
    public: str = pair.public_key.decode()
    return public
