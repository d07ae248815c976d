"""Named places where a process may be made to die, to prove that it matters to nobody."""

from headrace.faults.points import point

__all__ = ["point"]
