"""All traffic as soon as a replica has the version."""

from headrace.strategies.base import Placement, Strategy


class Direct(Strategy):
    """Nothing is watched before all callers meet the version."""

    name = "direct"
    about = "all traffic at once"
    protects = False
    ends_when_loaded = True

    def placement(self, share: int) -> Placement:
        """Loaded by the replicas, but asked by nobody until one has it."""
        return Placement(100, "canary", 0)
