"""What a replica can be told from outside."""

import socket
from pathlib import Path
from typing import Literal

from pydantic import Field

from headrace.chassis import ServiceSettings
from headrace.objects import ObjectSettings


class InferenceSettings(ServiceSettings):
    """Settings of the inference server; HEADRACE_<NAME> in the environment."""

    rate_limit: float = Field(default=0.0, ge=0)  # of one caller, requests a second; predictions are not limited
    replica: str = Field(default_factory=socket.gethostname)  # names this process in events; unique a process
    cache_dir: Path = Path("inference-cache")  # models by digest, the last route tables, the write-ahead log
    log_policy: Literal["require", "best-effort"] = "require"
    wal_mb: int = Field(default=1024, ge=8)  # ten minutes of 1,000 one-row predictions a second
    unknown_inputs: Literal["refuse", "ignore"] = "refuse"  # columns that the model's signature does not name
    time_ahead_s: float = Field(default=300.0, ge=0)  # how far a request's event time may lie ahead of its arrival
    threads: int = Field(default=2, ge=1)  # for large requests, and as many for loading
    objects: ObjectSettings = Field(default_factory=ObjectSettings)
