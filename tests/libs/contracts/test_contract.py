"""Contracts of datasets: what can be kept, and what cannot, with its place."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.contracts import ColumnRule, Contract
from headrace.contracts.contract import contract_problems


def told(contract: Contract) -> str:
    """Every problem, as a refusal shows them."""
    return "; ".join(str(problem) for problem in contract_problems(contract, ("data", "contract")))


def rule(**fields: Any) -> ColumnRule:
    """A rule for column x."""
    return ColumnRule(**{"name": "x", "type": "number", "nullable": False, **fields})


@pytest.mark.parametrize(
    ("contract", "says"),
    [
        ({"columns": [rule(), rule()]}, "'x' is there a second time"),
        ({"columns": [rule(name="cafe\u0301"), rule(name="caf\u00e9")]}, "'caf\u00e9' is there a second time"),
        ({"columns": [rule(name="x\u200b")]}, "U+200B (ZERO WIDTH SPACE)"),
        ({"columns": [rule(allowed=["1"])]}, "only string, integer and boolean columns have allowed values"),
        ({"columns": [rule(type="string", minimum=1.0)]}, "only integer and number columns have limits"),
        ({"columns": [rule(minimum=2.0, maximum=1.0)]}, "2 is above the maximum, 1"),
        ({"columns": [rule(format="%Y")]}, "only timestamp columns have a format"),
        ({"columns": [rule(type="timestamp", format="%q")]}, "unknown directive %q"),
        ({"formats": {"day": "%d"}}, "has no year"),
        ({"columns": [rule()], "formats": {"y": "%Y"}}, "the contract has no column 'y'"),
        ({"dialect": {"decimal": ","}}, "declare the delimiter"),
        ({"dialect": {"encoding": "ebcdic"}}, "known are utf-8, utf-16"),
    ],
)
def test_a_contract_that_nothing_can_keep_is_refused(contract: dict[str, Any], says: str) -> None:
    """Before any file comes."""
    assert says in told(Contract(**contract))


def test_a_sound_contract_has_no_faults() -> None:
    """Limits, values, formats and missing values together."""
    rules = [rule(minimum=0.0, maximum=0.0), rule(name="c", type="string", allowed=["a"])]
    rules.append(rule(name="day", type="timestamp", format="%d/%m/%Y"))
    assert told(Contract(columns=rules, missing=["?"])) == ""
