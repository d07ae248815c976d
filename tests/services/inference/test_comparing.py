"""How a shadow's answers differ from the champion's: what is counted of each kind of output."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import AnswersCompared
from headrace.inference.comparing import Compared
from headrace.strategies.evidence import Compared as Heard

NAN = float("nan")


def compared(champion: dict[str, list[object]], shadow: dict[str, list[object]]) -> Compared:
    """One request."""
    found = Compared()
    found.add({n: np.array(v) for n, v in champion.items()}, {n: np.array(v) for n, v in shadow.items()})
    return found


@pytest.mark.parametrize(
    ("champion", "shadow", "rows", "same", "gap"),
    [
        ({"label": ["a", "b"]}, {"label": ["a", "c"]}, 2, 1, 0.0),
        ({"label": [1, 0, 1]}, {"label": [1, 1, 1]}, 3, 2, 0.0),
        ({"label": [1], "probability": [0.9]}, {"label": [1], "probability": [0.6]}, 1, 1, 0.3),
        ({"prediction": [1.0, 2.0]}, {"prediction": [1.5, 2.0]}, 2, 2, 0.5),
        ({"prediction": [1.0, 2.0]}, {"prediction": [NAN, 2.5]}, 2, 1, 0.5),
        ({"prediction": [NAN]}, {"prediction": [NAN]}, 1, 1, 0.0),
        ({"p": [[0.2, 0.8]]}, {"p": [[0.3, 0.7]]}, 1, 1, 0.2),
        ({"p": [[0.2, 0.8]]}, {"p": [[0.3]]}, 1, 0, 0.0),
        ({"label": ["a"]}, {"prediction": [1.0]}, 1, 0, 0.0),
    ],
)
def test_labels_are_equal_or_not_and_numbers_are_apart(
    champion: dict[str, list[object]], shadow: dict[str, list[object]], rows: int, same: int, gap: float
) -> None:
    """A number that only one of the two has, or an output of another shape, is a difference of the row."""
    found = compared(champion, shadow)

    assert (found.rows, found.same) == (rows, same)
    assert found.gap == pytest.approx(gap)


FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=20))
def test_whatever_models_answer_the_sums_can_be_said_and_heard(pairs: list[tuple[float, float]]) -> None:
    """Numbers beyond all bounds stop no report; who hears it gets figures that are numbers, or none."""
    found = compared({"y": [one for one, _ in pairs]}, {"y": [other for _, other in pairs]})

    said = AnswersCompared(**asdict(found))
    heard = Heard().plus(AnswersCompared.model_validate_json(said.model_dump_json()))
    assert 0 <= heard.agreement <= 1
    assert heard.distance is None or (np.isfinite(heard.distance) and heard.distance >= 0)


def test_the_distance_is_in_the_champions_spread() -> None:
    """The same for every unit; there is none where the champion answers one value alone."""
    champion, shadow = [1.0, 3.0, 1.0, 3.0], [2.0, 4.0, 2.0, 4.0]
    for unit in (1.0, 1000.0):
        told = compared({"y": [unit * each for each in champion]}, {"y": [unit * each for each in shadow]})
        assert Heard().plus(AnswersCompared(**asdict(told))).distance == pytest.approx(1.0)
    constant = compared({"y": [0.1] * 5}, {"y": [7.0] * 5})
    assert Heard().plus(AnswersCompared(**asdict(constant))).distance is None
