"""Which services there are, where they answer, and which buckets they may touch: the one list, from topology.yaml.

Everything that names services takes them from here. What cannot (compose and Kubernetes files, the README) is compared
with it by tests.
"""

from headrace.contracts.generated.services import ACCESS, BUCKETS, PASSING, PORTS, REPLICAS, SERVICES, Right

__all__ = ["ACCESS", "BUCKETS", "EVERY", "PASSING", "PORTS", "REPLICAS", "SERVICES", "Right"]

EVERY = (*SERVICES, *REPLICAS)  # everything that runs for ever and answers HTTP
