"""Numbers in names: what stands in a path or an id and is a number, and what only looks like one."""

import pytest

from headrace.contracts import ANSWER_COLUMN, ContractError
from headrace.contracts.names import column_name, whole_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), (str(2**63 - 1), 2**63 - 1)])
def test_digits_are_a_whole_number(text: str, number: int) -> None:
    """As far as 64 bits hold it."""
    assert whole_number(text) == number


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.0", "1_0", " 1", "1\n", "\u00b2", "\u0663", "9" * 5000, str(2**63)]
)
def test_other_texts_are_no_whole_number(text: str) -> None:
    """Superscripts and other scripts' digits, which str.isdigit() takes, included."""
    assert whole_number(text) is None


@pytest.mark.parametrize("name", [ANSWER_COLUMN, "headrace:", " Headrace:score", "HEADRACE:x"])
def test_no_column_of_data_is_named_as_one_of_ours(name: str) -> None:
    """The same in files, contracts and declarations: all compare names by this function."""
    with pytest.raises(ContractError, match="begins with 'headrace:'"):
        column_name(name)
