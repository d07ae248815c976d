"""A transparency log that anyone can check: RFC 6962 trees, C2SP tiles, signed checkpoints.

Pure functions over bytes. The audit service writes logs with them; a client checks logs with them,
trusting nothing but the log's public key.
"""

from headrace.tlog.check import Finding, LogSource, Verdict, check_log
from headrace.tlog.entry import Entry, event_digest
from headrace.tlog.notes import Checkpoint, NoteError, SigningKey, VerifyingKey
from headrace.tlog.tiles import (
    TILE_WIDTH,
    Edge,
    TileId,
    decode_bundle,
    encode_bundle,
    parse_tile_path,
    tile_path,
)
from headrace.tlog.tree import (
    EMPTY_ROOT,
    Tiles,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tiles_needed,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

__all__ = [
    "EMPTY_ROOT",
    "TILE_WIDTH",
    "Checkpoint",
    "Edge",
    "Entry",
    "Finding",
    "LogSource",
    "NoteError",
    "SigningKey",
    "TileId",
    "Tiles",
    "Verdict",
    "VerifyingKey",
    "check_log",
    "consistency_proof",
    "decode_bundle",
    "encode_bundle",
    "event_digest",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "parse_tile_path",
    "tile_path",
    "tiles_needed",
    "tree_root",
    "verify_consistency",
    "verify_inclusion",
]
