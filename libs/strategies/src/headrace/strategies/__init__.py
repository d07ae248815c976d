"""Rollout strategies: one file each, one line here.

To add one: write a module with its `Strategy`, and name that below.
"""

from collections.abc import Mapping

from headrace.contracts.catalogs import Catalog
from headrace.strategies.base import Placement, Strategy
from headrace.strategies.canary import Canary
from headrace.strategies.direct import Direct
from headrace.strategies.shadow import Shadow

__all__ = ["AT_ONCE", "CATALOG", "STRATEGIES", "Placement", "Strategy"]

STRATEGIES: Mapping[str, Strategy] = {each.name: each for each in (Canary(), Direct(), Shadow())}
AT_ONCE = Direct.name  # where there is nothing to protect
CATALOG = Catalog("rollout strategy", lambda: STRATEGIES)
