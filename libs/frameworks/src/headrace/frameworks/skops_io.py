"""`skops.io`, imported without torch, which it does not need: a worker of scikit-learn stays as small as it is."""

from headrace.code.imports import without

with without("torch"):
    import skops.io as io

__all__ = ["io"]
