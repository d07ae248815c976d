"""How many made-up examples a property is tried with: the same ones in every run, or many more and new ones."""

import os

FACTOR = int(os.environ.get("HEADRACE_EXAMPLES", "1"))


def examples(count: int) -> int:
    """`count`, times what HEADRACE_EXAMPLES says."""
    return count * FACTOR
