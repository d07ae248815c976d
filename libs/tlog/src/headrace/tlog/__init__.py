"""A transparency log that anyone can check: RFC 6962 trees, C2SP tiles, signed checkpoints.

Pure functions over bytes. The audit service writes logs with them; a client checks logs with them,
trusting nothing but the log's public key.
"""

from headrace.tlog.check import Finding, LogSource, Past, Verdict, check_log
from headrace.tlog.entry import Entry, encode_headers, event_digest, headers_digest
from headrace.tlog.messages import Kept, decode_messages, described, encode_messages, unlike
from headrace.tlog.notes import Checkpoint, NoteError, SigningKey, VerifyingKey
from headrace.tlog.sequences import Hole, Sequences
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
    "Hole",
    "Kept",
    "LogSource",
    "NoteError",
    "Past",
    "Sequences",
    "SigningKey",
    "TileId",
    "Tiles",
    "Verdict",
    "VerifyingKey",
    "check_log",
    "consistency_proof",
    "decode_bundle",
    "decode_messages",
    "described",
    "encode_bundle",
    "encode_headers",
    "encode_messages",
    "event_digest",
    "headers_digest",
    "inclusion_proof",
    "leaf_hash",
    "node_hash",
    "parse_tile_path",
    "tile_path",
    "tiles_needed",
    "tree_root",
    "unlike",
    "verify_consistency",
    "verify_inclusion",
]
