"""Every service's settings: read once from the environment, frozen, handed down."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from headrace.bus import BusSettings


class ServiceSettings(BaseSettings):
    """What every service can be told from outside, as HEADRACE_<NAME>; services add their own."""

    model_config = SettingsConfigDict(env_prefix="HEADRACE_", frozen=True, extra="ignore")

    nats_url: str = "nats://127.0.0.1:4222"
    nats_nkey_seed_file: Path | None = None
    nats_tls_ca: Path | None = None
    database_url: str = "sqlite+aiosqlite:///headrace.db"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otlp_endpoint: str | None = None
    api_keys_file: Path | None = None
    drain_s: float = 5.0  # longest a stop may take; what is not done then is done again after the next start
    max_request_mb: int = 16  # larger bodies are refused, but for streamed uploads
    parked_after_attempts: int = Field(default=6, ge=1)  # about a minute with the delays of headrace.bus.policy

    def bus(self, identity: str) -> BusSettings:
        """How `identity` reaches the broker."""
        return BusSettings(self.nats_url, identity, self.nats_nkey_seed_file, self.nats_tls_ca)

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the HTTP port."""
        if self.http_host == "localhost":
            return True
        try:
            return ip_address(self.http_host).is_loopback
        except ValueError:
            return False
