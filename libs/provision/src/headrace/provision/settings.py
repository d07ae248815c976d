"""What the one-shot jobs of an installation are told, as HEADRACE_<NAME>."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ProvisionSettings(BaseSettings):
    """Where the parts of an installation are, and where its secrets lie."""

    model_config = SettingsConfigDict(env_prefix="HEADRACE_", frozen=True, extra="ignore")

    vault: Path = Path("/vault")  # every secret; only these jobs see it
    handed: Path = Path("/handed")  # a folder for each part, with what is its own
    owner: int = 1000  # the user as whom our images run

    nats_url: str = "nats://nats:4222"
    nats_store: Path = Path("/data/jetstream")
    nats_max_file_store: int = 20 * 2**30  # bytes; a full disk would freeze the broker, a full quota refuses cleanly
    nats_replicas: int = Field(default=1, ge=1)

    nats_tls_ca: Path | None = None  # where the broker speaks TLS; it then asks for a certificate of ours, too
    nats_tls_cert: Path | None = None
    nats_tls_key: Path | None = None

    database_host: str = "postgres:5432"
    database_options: str = ""  # of every service's URL: sslmode=verify-full&sslrootcert=...

    s3_endpoint: str = "http://minio:9000"
    s3_region: str = "us-east-1"
    s3_bucket_prefix: str = "headrace-"
    s3_tls_ca: Path | None = None
    s3_access_key: str = ""  # of another store: then every service uses this one key
    s3_secret_key: str = ""
    s3_users: Literal["minio", "none"] = "minio"  # none: the store knows no MinIO administration
    s3_versioned: bool = True
    s3_lock_days: int = Field(default=365, ge=0)  # how long what audit writes can be deleted by nobody; 0: no lock

    audit_origin: str = "headrace-audit"  # the log's name, as audit has it

    published: dict[str, int] = Field(default_factory=dict)  # ports on the user's machine, by what answers there

    namespace: str = "headrace"  # on Kubernetes
    inside: bool = False  # there: whether PostgreSQL and MinIO run in the namespace, and need secrets of their own

    @property
    def keys_file(self) -> Path:
        """The API keys, as services read them."""
        return self.handed / "keys" / "keys.json"

    @property
    def own_keys(self) -> bool:
        """Whether each service has a key of its own, made here, rather than one that was given."""
        return not self.s3_access_key
