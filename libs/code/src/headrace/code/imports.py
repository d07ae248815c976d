"""Importing a library without what it imports on its way and does not need."""

import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Within, modules of these names that nobody has imported yet cannot be imported; afterwards they can.

    skops walks through all of scikit-learn when it is imported, and so imports torch where that is installed: 600 MB.
    """
    hidden = [name for name in names if name not in sys.modules]
    modules: MutableMapping[str, Any] = sys.modules
    modules.update(dict.fromkeys(hidden))  # None is how Python spells "not to be had"
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)
