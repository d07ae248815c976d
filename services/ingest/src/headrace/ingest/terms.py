"""On which terms a file is taken: the dataset's contract, and what declared models use of it."""

from __future__ import annotations

from dataclasses import dataclass

from headrace.contracts import ColumnRule
from headrace.contracts.cells import how_to_declare_times
from headrace.ingest.domain import Use, relaxed, unordered
from headrace.ingest.engine import Accepted, Rejected
from headrace.ingest.hints import KEPT_AS_TEXT
from headrace.ingest.reading import Wording
from headrace.ingest.tables import ContractRow, Repository, rules_of, wording_in
from headrace.ingest.violations import TYPE, Violations


@dataclass(frozen=True)
class Terms:
    """What holds for the files of a dataset: its contract, and what declared models use of it."""

    rules: list[ColumnRule] | None
    wording: Wording
    uses: list[Use]
    inferred: bool
    revision: int = 0  # of the contract; 0: there is none

    def ordered(self, result: Accepted | Rejected, keep: int) -> Accepted | Rejected:
        """The result, refused where a column by which a model orders rows in time has become text unasked."""
        wrong = unordered(result.rules, self.uses) if isinstance(result, Accepted) and self.inferred else []
        if not wrong:
            return result
        violations = Violations(keep)
        for column, model in wrong:
            violations.add(
                TYPE, f"it orders the rows of model {model!r} in time; {_as_times(result, column)}", column=column
            )
        return Rejected(result.rows, violations)


def _as_times(result: Accepted | Rejected, column: str) -> str:
    """What to declare for a column of times that is text."""
    noted = result.warnings if isinstance(result, Accepted) else ()
    hint = next((each.message for each in noted if each.check == KEPT_AS_TEXT and each.column == column), None)
    return hint or how_to_declare_times(column)


async def terms_of(repository: Repository, dataset: str) -> Terms:
    """The terms of a dataset as they stand."""
    row: ContractRow | None = await repository.contract(dataset)
    rules, uses = rules_of(row), await repository.uses(dataset)
    inferred = row is None or not row.rules or row.origin == "inferred"
    return Terms(
        relaxed(rules, uses) if rules and inferred else rules,
        wording_in(row),
        uses,
        inferred,
        row.revision if row else 0,
    )
