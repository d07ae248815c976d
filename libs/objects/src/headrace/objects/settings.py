"""Where the object store is, and as whom it is used."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class ObjectSettings(BaseSettings):
    """Any S3 endpoint, as HEADRACE_S3_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="HEADRACE_S3_", frozen=True, extra="ignore")

    endpoint: str = "http://127.0.0.1:9000"
    access_key: str = ""
    secret_key: str = ""
    tls_ca: Path | None = None  # believed instead of the system's, where the endpoint is https
    region: str = "us-east-1"  # always sent: asking for it needs a right that services do not have
    bucket_prefix: str = "headrace-"
    connect_timeout_s: float = 3.0
    read_timeout_s: float = 15.0  # of silence on the wire; minio-py waits for five minutes, five times
    give_up_after_s: float = 10.0  # after the first failure no other attempt begins
    retries: int = 4
    probe_timeout_s: float = 3.0  # for the answer to a look whether the store is there
