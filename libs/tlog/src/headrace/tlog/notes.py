"""Signed notes and checkpoints: who vouches for which tree (C2SP signed-note, tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_ALGORITHM = b"\x01"  # Ed25519, in the signed-note registry of signature types


class NoteError(ValueError):
    """A note, checkpoint or key that is malformed or not signed as it should be."""


def _unbase64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"{what} is not base64: {text[:40]!r}") from error


@dataclass(frozen=True)
class VerifyingKey:
    """The public half: `<name>+<key id>+<base64>`, as Go's sumdb and tlog tools write it."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """First four bytes of SHA-256(name, newline, algorithm, public key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ALGORITHM + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ALGORITHM + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifyingKey:
        """Read the one-line form; raises `NoteError` where it contradicts itself."""
        name, _, rest = text.strip().partition("+")
        identity, _, encoded = rest.partition("+")
        raw = _unbase64(encoded, "the verifying key")
        key = cls(name, raw[1:])
        if not name or len(raw) != 33 or raw[:1] != _ALGORITHM or key.id.hex() != identity:
            raise NoteError(f"{text.strip()!r} is no Ed25519 verifying key: name+8 hex digits+base64")
        return key

    def verifies(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` (64 bytes) is this key's over `text`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class SigningKey:
    """The private half: a name and an Ed25519 seed of 32 bytes."""

    name: str
    seed: bytes

    @property
    def verifying_key(self) -> VerifyingKey:
        """The half to give away."""
        return VerifyingKey(self.name, self._private.public_key().public_bytes_raw())

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def sign(self, text: str) -> str:
        """A signed note: the text, an empty line, one signature line."""
        signature = base64.b64encode(self.verifying_key.id + self._private.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"


def _signatures(block: str) -> Iterator[tuple[str, bytes]]:
    for line in block.splitlines():
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "—" or not name or not encoded:
            raise NoteError(f"{line[:60]!r} is no signature line")
        yield name, _unbase64(encoded, "a signature")


def open_note(note: str, key: VerifyingKey) -> str:
    """The text of a note that `key` signed; signatures of others are ignored, a false one is not."""
    text, separator, block = note.rpartition("\n\n")
    if not separator or not note.endswith("\n"):
        raise NoteError("a signed note is a text, an empty line and signature lines")
    mine = [raw[4:] for name, raw in _signatures(block) if name == key.name and raw[:4] == key.id]
    if not mine:
        raise NoteError(f"the note bears no signature of {key.name} with key {key.id.hex()}")
    if not all(key.verifies(f"{text}\n".encode(), signature) for signature in mine):
        raise NoteError(f"the signature of {key.name} does not match the text of the note")
    return f"{text}\n"


@dataclass(frozen=True)
class Checkpoint:
    """A tree head: the log's name (`origin`), how many entries it has, and their root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def signed(self, key: SigningKey) -> str:
        """The checkpoint as a signed note."""
        return key.sign(self.text())

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the three lines of a note already opened; extension lines are allowed and ignored."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0] or _SIZE.fullmatch(lines[1]) is None:
            raise NoteError("a checkpoint is an origin line, a tree size and a base64 root")
        root = _unbase64(lines[2], "the root")
        if len(root) != 32:
            raise NoteError(f"the root has {len(root)} bytes, not 32")
        return cls(lines[0], int(lines[1]), root)

    @classmethod
    def open(cls, note: str, key: VerifyingKey) -> Checkpoint:
        """Verify a signed checkpoint and read it; its origin is the key's name."""
        checkpoint = cls.parse(open_note(note, key))
        if checkpoint.origin != key.name:
            raise NoteError(f"the checkpoint is of {checkpoint.origin!r}, the key of {key.name!r}")
        return checkpoint
