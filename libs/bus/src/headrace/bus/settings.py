"""How to reach the broker, and as whom."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BusSettings:
    """One identity's way to the broker; `tls_ca` makes the connection TLS."""

    url: str
    identity: str
    nkey_seed_file: Path | None = None
    tls_ca: Path | None = None
