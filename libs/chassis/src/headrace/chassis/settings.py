"""Every service's settings: read once from the environment, frozen, handed down."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from headrace.bus import BusSettings
from headrace.chassis.oidc import OidcSettings


class ServiceSettings(BaseSettings):
    """What every service can be told from outside, as HEADRACE_<NAME>; services add their own."""

    model_config = SettingsConfigDict(env_prefix="HEADRACE_", frozen=True, extra="ignore")

    nats_url: str = "nats://127.0.0.1:4222"
    nats_nkey_seed_file: Path | None = None
    nats_tls_ca: Path | None = None  # makes the connection TLS, believing this CA
    nats_tls_cert: Path | None = None  # shown where the broker asks its clients for certificates
    nats_tls_key: Path | None = None
    database_url: str = "sqlite+aiosqlite:///headrace.db"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    http_tls_cert: Path | None = None  # makes the HTTP port HTTPS: a chain in PEM, and its key
    http_tls_key: Path | None = None
    http_head_s: float = Field(default=10.0, gt=0)  # for the head of a request; half-sent ones are ended then
    http_body_s: float = Field(default=20.0, gt=0)  # for a body, and a second more for each KiB that has come
    http_connections_per_address: int = Field(default=800, ge=0)  # 0: any number, where a proxy speaks for many
    http_cors_origins: tuple[str, ...] = ()  # pages of these origins may ask, such as https://console.example
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otlp_endpoint: str | None = None
    api_keys_file: Path | None = None
    oidc_issuer: str | None = None  # tokens of this identity provider are accepted beside API keys
    oidc_audience: str = "headrace"  # a token must be meant for us
    oidc_jwks: str | None = None  # a URL or a file; unset: where the issuer's configuration says
    oidc_ca: Path | None = None  # believed instead of the system's, when the issuer is asked
    oidc_algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    oidc_roles_claim: str = "roles"  # a path may lead inside: realm_access.roles
    oidc_scopes_claim: str = "scope"
    oidc_roles: dict[str, str] = Field(default_factory=dict)  # their role: ours; unset: headrace-viewer is viewer, ...
    oidc_leeway_s: float = Field(default=30.0, ge=0)  # how far clocks may differ
    oidc_refetch_s: float = Field(default=10.0, gt=0)  # unknown keys make us ask the issuer no more often than that
    oidc_stale_s: float = Field(default=3600.0, gt=0)  # how long known keys are used while the issuer is away
    rate_limit: float = Field(default=100.0, ge=0)  # requests a second of one caller; 0: any number
    rate_burst: int = Field(default=1000, ge=1)  # requests at once
    drain_s: float = 5.0  # longest a stop may take; what is not done then is done again after the next start
    max_request_mb: int = 16  # larger bodies are refused, but for streamed uploads
    dead_letter_after_attempts: int = Field(default=6, ge=1)  # about a minute with the delays of headrace.bus.retry
    longest_handler_s: float = Field(default=60.0, gt=0)  # a handler that takes longer hangs; long work is a job

    def bus(self, identity: str) -> BusSettings:
        """How `identity` reaches the broker."""
        tls = (self.nats_tls_ca, self.nats_tls_cert, self.nats_tls_key)
        return BusSettings(self.nats_url, identity, self.nats_nkey_seed_file, *tls)

    @property
    def oidc(self) -> OidcSettings | None:
        """Whose tokens are accepted; None where only API keys are."""
        if self.oidc_issuer is None:
            return None
        told = {name: getattr(self, f"oidc_{name}") for name in OidcSettings.model_fields}
        return OidcSettings(**told)

    @property
    def http_address(self) -> str:
        """Where the service answers."""
        return f"{'https' if self.http_tls_cert else 'http'}://{self.http_host}:{self.http_port}"

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the HTTP port."""
        if self.http_host == "localhost":
            return True
        try:
            return ip_address(self.http_host).is_loopback
        except ValueError:
            return False
