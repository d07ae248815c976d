"""Numbers in names: what stands in a path or an id and is a number, and what only looks like one."""

import pytest

from headrace.contracts import ANSWER_COLUMN, ContractError
from headrace.contracts.names import bare, column_name, row_of, whole_number


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


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("p", ("p", None)),
        ("p:0", ("p", 0)),
        ("a:b:12", ("a:b", 12)),
        ("p:007", ("p", 7)),
        ("p:999999999", ("p", 999_999_999)),
    ],
)
def test_an_id_names_a_prediction_and_its_row(text: str, place: tuple[str, int | None]) -> None:
    """The last colon begins the row, for whoever reports a truth and for whoever asks for a trace."""
    assert (row_of(text), bare(f"{place[0]}:1")) == (place, place[0])


@pytest.mark.parametrize(
    "text", ["", ":", "p:", ":1", "p:\u00b2", "p:-1", "p:1000000000", "p q", "x" * 201, "\u00fc:1"]
)
def test_what_is_no_prediction_id_is_refused(text: str) -> None:
    """The text says what an id looks like."""
    with pytest.raises(ContractError, match="`id:row` names a row"):
        row_of(text)
