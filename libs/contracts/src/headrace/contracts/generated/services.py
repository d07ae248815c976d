"""Generated from schemas/topology.yaml by `make schemas`; changes here are lost."""

from collections.abc import Mapping
from typing import Literal

Right = Literal["r", "rw", "rwd"]

SERVICES = ("ingest", "trainer", "registry", "deployer", "monitor", "audit")
REPLICAS = ("inference",)
BUCKETS = ("uploads", "datasets", "models", "checkpoints", "reports", "audit")
PASSING = ("checkpoints",)
PORTS: Mapping[str, int] = {
    "ingest": 8101,
    "trainer": 8102,
    "registry": 8103,
    "deployer": 8104,
    "inference": 8110,
    "monitor": 8105,
    "audit": 8106,
}
ACCESS: Mapping[str, Mapping[str, Right]] = {
    "ingest": {"uploads": "rw", "datasets": "rw"},
    "trainer": {"datasets": "r", "models": "rw", "uploads": "r", "checkpoints": "rwd"},
    "inference": {"models": "r"},
    "monitor": {"datasets": "r", "models": "r", "reports": "rw"},
    "audit": {"audit": "rw"},
    "operator": {"uploads": "rw"},
}
