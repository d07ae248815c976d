"""What a declaration may search: the kinds of dimension, within what each parameter takes."""

from typing import Any

import pytest

from headrace.contracts import ContractError
from headrace.contracts.estimators import Parameter, frameworks
from headrace.contracts.search import BadDimension, Dimension, dimension, dimensions
from headrace.tasks import parse_declaration

WHOLE = Parameter(allowed=[{"type": "integer", "min": 2, "max": 100}])
SHARE = Parameter(allowed=[{"type": "number", "min": 0.0, "max": 1.0, "open": ["min"]}])
COUNT_OR_SHARE = Parameter(allowed=[{"type": "integer", "min": 1}, *SHARE.allowed, {"one_of": ["sqrt"]}])
ANY = Parameter()


@pytest.mark.parametrize(
    ("wanted", "parameter", "found"),
    [
        ({"from": 2, "to": 9}, WHOLE, Dimension("integer", low=2, high=9)),
        ({"from": 2.0, "to": 9.0}, WHOLE, Dimension("integer", low=2, high=9)),
        ({"from": 10, "to": 90, "step": 20}, WHOLE, Dimension("integer", low=10, high=90, step=20)),
        ({"from": 2, "to": 64, "scale": "log"}, WHOLE, Dimension("integer", low=2, high=64, log=True)),
        ({"from": 0.1, "to": 1}, SHARE, Dimension("number", low=0.1, high=1)),
        ({"from": 0.001, "to": 0.5, "scale": "log"}, SHARE, Dimension("number", low=0.001, high=0.5, log=True)),
        ({"from": 0.1, "to": 0.9, "step": 0.2}, SHARE, Dimension("number", low=0.1, high=0.9, step=0.2)),
        ({"from": 0.1, "to": 0.9, "scale": "linear"}, SHARE, Dimension("number", low=0.1, high=0.9)),
        ({"from": 1, "to": 9}, COUNT_OR_SHARE, Dimension("integer", low=1, high=9)),
        ({"from": 0.1, "to": 0.9}, COUNT_OR_SHARE, Dimension("number", low=0.1, high=0.9)),
        ({"from": 1, "to": 9}, ANY, Dimension("number", low=1, high=9)),
        ({"from": 1, "to": 9, "step": 2}, ANY, Dimension("integer", low=1, high=9, step=2)),
        ({"one_of": [0.1, 5, "sqrt"]}, COUNT_OR_SHARE, Dimension("choice", choices=(0.1, 5, "sqrt"))),
        ({"one_of": [True, False]}, ANY, Dimension("choice", choices=(True, False))),
        ({"one_of": [1, True]}, ANY, Dimension("choice", choices=(1, True))),
        ({"one_of": [[64], [64, 32]]}, ANY, Dimension("choice", choices=([64], [64, 32]))),
    ],
)  # fmt: skip
def test_each_kind_of_dimension_is_read_as_the_parameter_takes_it(
    wanted: Any, parameter: Parameter, found: Dimension
) -> None:
    """Whole numbers where the parameter takes no others; a range is of what it takes at both ends."""
    assert dimension(wanted, parameter) == found


@pytest.mark.parametrize(
    ("wanted", "parameter", "told"),
    [
        (5, WHOLE, "5 is no dimension; say {from: 1, to: 9}"),
        ([1, 2], WHOLE, "[1, 2] is no dimension"),
        ({}, WHOLE, "from is missing"),
        ({"from": 2}, WHOLE, "to is missing"),
        ({"form": 2, "to": 3}, WHOLE, "'form' is not known; did you mean 'from'?"),
        ({"from": "2", "to": 9}, WHOLE, "from is a number, not '2'"),
        ({"from": True, "to": 9}, WHOLE, "from is a number, not True"),
        ({"from": 2, "to": float("inf")}, WHOLE, "to is a number, not inf"),
        ({"from": 9, "to": 2}, WHOLE, "from lies below to; not 9 and 2"),
        ({"from": 2, "to": 2}, WHOLE, "from lies below to; not 2 and 2"),
        ({"from": 1, "to": 9}, WHOLE, "takes an integer from 2 to 100; not all from 1 to 9"),
        ({"from": 2, "to": 101}, WHOLE, "not all from 2 to 101"),
        ({"from": 2.5, "to": 9}, WHOLE, "takes an integer from 2 to 100; not all from 2.5 to 9"),
        ({"from": 2, "to": 9, "step": 0.5}, WHOLE, "a step of 0.5 leads elsewhere"),
        ({"from": 0, "to": 1}, SHARE, "takes a number above 0 to 1; not all from 0 to 1"),
        ({"from": 0.5, "to": 9}, COUNT_OR_SHARE, "not all from 0.5 to 9"),
        ({"from": 0.1, "to": 1, "scale": "lgo"}, SHARE, "scale: 'lgo' is not known; did you mean 'log'?"),
        ({"from": 0, "to": 1, "scale": "log"}, ANY, "a scale of log begins above 0; not at 0"),
        ({"from": 1, "to": 9, "scale": "log", "step": 2}, ANY, "a step belongs to a linear scale"),
        ({"from": 1, "to": 9, "step": 0}, ANY, "a step lies above 0 and within the range; not 0"),
        ({"from": 1, "to": 9, "step": 9}, ANY, "within the range; not 9"),
        ({"one_of": [1, 2], "from": 1}, ANY, "one_of stands alone"),
        ({"one_of": 3}, ANY, "one_of is a list of 2 to 100 values, not 3"),
        ({"one_of": [3]}, ANY, "one_of is a list of 2 to 100 values, not [3]"),
        ({"one_of": list(range(101))}, ANY, "one_of is a list of 2 to 100 values"),
        ({"one_of": [5, 500]}, WHOLE, "takes an integer from 2 to 100; not 500"),
        ({"one_of": [5, 6, 5]}, WHOLE, "5 is there a second time"),
        ({"one_of": [["a"], ["b"]]}, Parameter(names="columns"), "names columns of the data"),
    ],
)
def test_what_could_not_be_tried_is_refused_with_what_could(wanted: Any, parameter: Parameter, told: str) -> None:
    """Before anything runs: a trial never fails for what the catalogue knows."""
    with pytest.raises(BadDimension) as error:
        dimension(wanted, parameter)

    assert told in str(error.value)


def declared(search: dict[str, Any], **training: Any) -> Any:
    """A declaration with a search."""
    told = {"framework": "lightgbm", "search": search, **training}
    return parse_declaration({"name": "m", "data": {"dataset": "d", "target": "t"}, "task": "binary", "training": told})


def problems(search: dict[str, Any], **training: Any) -> str:
    """What is said of a declaration that is refused."""
    with pytest.raises(ContractError) as error:
        declared(search, **training)
    return str(error.value)


LEAVES = {"num_leaves": {"from": 5, "to": 60}}


def test_a_declared_search_has_its_defaults() -> None:
    """So that three lines are enough."""
    search = declared({"space": LEAVES}).training.search

    assert (search.trials, search.parallel, search.fraction, search.stop_early, search.metric) == (
        32,
        2,
        0.2,
        True,
        None,
    )


def test_other_names_of_a_parameter_are_searched_and_judged_by_its_own_range() -> None:
    """`eta` is LightGBM's learning rate."""
    assert declared({"space": {"eta": {"from": 0.01, "to": 0.3}}})
    assert "space.eta: the parameter takes a number above 0; not all from 0 to 1" in problems(
        {"space": {"eta": {"from": 0, "to": 1}}}
    )
    found = dimensions({"eta": {"from": 0.01, "to": 0.3}}, "lightgbm", "lightgbm.LGBMClassifier")
    assert found == {"eta": Dimension("number", low=0.01, high=0.3)}


def test_a_parameter_is_not_searched_under_two_names_nor_fixed_and_searched() -> None:
    """Under another name, too."""
    rate = {"from": 0.01, "to": 0.3}

    assert "is another name of 'eta', which is there too" in problems({"space": {"eta": rate, "learning_rate": rate}})
    assert "space.eta: is fixed by training.params.learning_rate, too" in problems(
        {"space": {"eta": rate}}, params={"learning_rate": 0.1}
    )


def test_what_a_declaration_says_for_every_framework_is_not_searched_under_the_library_s_name() -> None:
    """Or one trial in two would contradict the declaration."""
    told = problems({"space": {"scale_pos_weight": {"from": 1, "to": 9}}}, class_weight={"1": 2})

    assert "training.search.space.scale_pos_weight: and training.class_weight say the same" in told


def test_every_wrong_place_is_told_at_once() -> None:
    """Whoever writes a search corrects it in one go."""
    told = problems(
        {"space": {"num_leafs": {"from": 5, "to": 60}, "num_leaves": {"from": 1, "to": 60}}, "metric": "rmse"}
    )

    assert "did you mean 'num_leaf'?" in told or "did you mean 'num_leaves'?" in told
    assert "space.num_leaves: the parameter takes an integer from 2 to 131072; not all from 1 to 60" in told
    assert "training.search.metric: rmse is no metric of binary" in told


def test_what_a_task_decides_is_not_searched() -> None:
    """Quantiles fit one estimator for each level."""
    with pytest.raises(ContractError, match=r"space\.loss: is decided by the task and its options"):
        parse_declaration(
            {
                "name": "m",
                "task": "quantiles",
                "data": {"dataset": "d", "target": "t"},
                "training": {"search": {"space": {"loss": {"one_of": ["quantile", "squared_error"]}}}},
            }
        )


@pytest.mark.parametrize("framework", [name for name, info in frameworks().items() if info.usual])
def test_every_framework_has_numbers_to_search(framework: str) -> None:
    """Some parameter of its usual estimator, within the range that the catalogue knows."""
    estimator = frameworks()[framework].usual["classifier"]
    space = {"learning_rate": {"from": 0.01, "to": 0.3, "scale": "log"}}

    assert dimensions(space, framework, estimator)["learning_rate"].log
