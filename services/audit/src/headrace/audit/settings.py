"""What can be set of audit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from headrace.chassis import ServiceSettings
from headrace.objects import ObjectSettings


class AuditSettings(ServiceSettings):
    """Settings of audit, read from HEADRACE_AUDIT_... and the common HEADRACE_..."""

    objects: ObjectSettings = Field(default_factory=ObjectSettings)
    audit_origin: str = "headrace-audit"  # the log's name: first line of its checkpoints, and its key's name
    audit_key_file: Path = Path(".headrace/audit.key")  # Ed25519 seed in hex; made at the first start
    audit_checkpoint_entries: int = 10_000  # a second or two of the busiest log
    audit_checkpoint_every: timedelta = timedelta(seconds=10)
    audit_gap_patience: timedelta = timedelta(seconds=30)  # a redelivery comes within seconds
    audit_verify_every: timedelta = timedelta(hours=6)  # a million entries take about a minute
