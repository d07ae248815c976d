"""How to reach the broker, and as whom."""

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BusSettings:
    """One identity's way to the broker; `tls_ca`, or a URL with tls://, makes the connection TLS."""

    url: str
    identity: str
    nkey_seed_file: Path | None = None
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def tls(self) -> ssl.SSLContext | None:
        """Whom to believe, and what to show where the broker asks for a certificate; None without TLS."""
        if not (self.tls_ca or self.tls_cert or self.url.startswith("tls://")):
            return None
        context = ssl.create_default_context(cafile=str(self.tls_ca) if self.tls_ca else None)
        if self.tls_cert:
            context.load_cert_chain(self.tls_cert, self.tls_key)
        return context
