"""The datatypes of the Open Inference Protocol V2 in numpy's terms."""

from collections.abc import Mapping
from typing import Any

import numpy as np

NUMPY: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
}
"""Of every datatype but BYTES, whose values are strings."""
