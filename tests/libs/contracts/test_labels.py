"""Labels are matched by type, then value, then text; never by what a float makes of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts.labels import Label, match_label, named_labels

LONG = 12_345_678_901_234_567  # 17 digits: as a float it is ...568


@pytest.mark.parametrize(
    ("wanted", "labels", "place"),
    [
        (1, [0, 1], 1),
        (1.0, [0, 1], 1),
        (1, [0.0, 1.0], 1),
        ("1", [0, 1], 1),
        (1, [1, 2], 0),
        (-1, [-1, 1], 0),
        ("yes", ["no", "yes"], 1),
        (1, ["0", "1"], 1),
        (True, [False, True], 1),
        ("true", [False, True], 1),
        ("True", [False, True], 1),
        (0.5, [0.25, 0.5], 1),
        (LONG, [LONG, LONG + 1], 0),
        (str(LONG + 1), [LONG, LONG + 1], 1),
        (1, [True, 1, "1"], 1),
        ("1", [True, 1, "1"], 2),
    ],
)
def test_a_label_is_found_by_type_then_value_then_text(wanted: Any, labels: list[Label], place: int) -> None:
    """The nearest way of writing wins; 17 digits stay exact."""
    assert match_label(wanted, labels) == place


@pytest.mark.parametrize(
    ("wanted", "labels"),
    [
        ("false", [0, 1]),
        (False, [0, 1]),
        (True, [0, 1]),
        ("", [0, 1]),
        (2, [0, 1]),
        (0.5, [0, 1]),
        (float("inf"), [0, 1]),
        (float("nan"), [0.5, 1.5]),
        ("maybe", [0, 1]),
        ("01", [0, 1]),
        ("YES", ["no", "yes"]),
        (0, [False, True]),
        (float(LONG), [LONG, LONG + 2]),
        (None, ["no", "yes"]),
    ],
)
def test_what_is_no_label_of_the_model_is_not_found(wanted: Any, labels: list[Label]) -> None:
    """Nothing is rounded, folded or guessed."""
    assert match_label(wanted, labels) is None


@given(
    st.lists(st.one_of(st.integers(), st.text(max_size=5), st.booleans()), min_size=1, unique_by=lambda x: (type(x), x))
)
def test_every_label_finds_itself(labels: list[Label]) -> None:
    """Whatever the types of the others are."""
    assert [match_label(label, labels) for label in labels] == list(range(len(labels)))


def test_many_labels_are_named_in_short() -> None:
    """A sentence stays a sentence."""
    assert named_labels(["no", 1]) == "'no', 1"
    assert named_labels(list(range(12))).endswith("9 and 2 more")
