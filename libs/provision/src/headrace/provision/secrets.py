"""Identities of an installation, made once and kept: nkeys, object store keys, tokens and passwords."""

import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nkeys

from headrace.contracts.topology import load_topology


@dataclass(frozen=True)
class S3Key:
    """An identity's key to the object store."""

    access: str
    secret: str


def nats_keys(seeds: Path) -> dict[str, str]:
    """Each identity's public nkey; seeds that are missing in the folder are made, as `<identity>.nk`."""
    return {identity: _known(seeds / f"{identity}.nk") for identity in load_topology().identities}


def s3_keys(file: Path, identities: Iterable[str]) -> dict[str, S3Key]:
    """The object store's keys of these identities and of `root`, as the file keeps them."""
    known = json.loads(file.read_text()) if file.is_file() else {}
    wanted = {"root", *identities}
    missing = wanted - known.keys()
    known |= {name: {"access": f"headrace-{name}", "secret": secrets.token_hex(20)} for name in sorted(missing)}
    if missing:
        write_private(file, json.dumps(known, indent=2))
    return {name: S3Key(**key) for name, key in known.items() if name in wanted}


def secret(file: Path) -> str:
    """A random secret of 32 bytes in hex, made at the first call and kept in the file."""
    if not file.is_file():
        write_private(file, secrets.token_hex(32))
    return file.read_text().strip()


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner reads; it is never readable by others in between."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_suffix(f"{file.suffix}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    draft.replace(file)


def new_seed() -> str:
    """A seed of a new nkey."""
    seed: bytes = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    return seed.decode()


def _known(seed_file: Path) -> str:
    if not seed_file.is_file():
        write_private(seed_file, new_seed())
    return public_key(seed_file)


def public_key(seed_file: Path) -> str:
    """The public nkey of a seed, as the broker knows it."""
    pair = nkeys.from_seed(seed_file.read_text().strip().encode())
    public: str = pair.public_key.decode()
    return public
