"""Parsed declarations, kept: parsing them is most of the work of a look at an idle model."""

from headrace.contracts import Declaration
from headrace.monitor.tables import DeclaredRow


class Declarations:
    """The newest declaration of each model that was asked for."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, Declaration]] = {}

    def of(self, row: DeclaredRow) -> Declaration:
        """As a typed value; raises what parsing raises."""
        revision, declared = self._kept.get(row.model, (0, None))
        if declared is None or revision != row.revision:
            declared = row.parsed()
            self._kept[row.model] = (row.revision, declared)
        return declared
