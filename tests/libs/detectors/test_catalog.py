"""The catalogue of drift detectors: what may be declared, and what is said where something may not."""

import pytest

from headrace.detectors import DETECTORS
from headrace.tasks import INSTALLED


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_is_good_for_its_kinds_with_its_usual_limit(name: str) -> None:
    """Every entry can be declared as it stands."""
    info = DETECTORS[name]

    assert info.name == name
    assert all(INSTALLED.detector_problem(name, kind=kind, limit=info.limit) is None for kind in info.kinds)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_p_value_is_held_against_its_limit_from_below_and_a_distance_from_above(name: str) -> None:
    """The direction belongs to the method: one threshold cannot serve both sorts."""
    info = DETECTORS[name]

    assert info.drifted(info.limit / 2, info.limit) is info.p_value
    assert info.drifted(info.limit * 2, info.limit) is not info.p_value


def test_an_unknown_detector_is_answered_with_the_nearest_or_all_known_ones() -> None:
    """Whoever mistypes sees what was meant."""
    told = "drift detector 'wasserstien' is not known; did you mean 'wasserstein'?"
    assert INSTALLED.detector_problem("wasserstien") == told
    assert "known here are ks, chi_square" in str(INSTALLED.detector_problem("zzz"))


def test_a_detector_that_does_not_fit_the_columns_is_refused_with_those_that_do() -> None:
    """`psi` is for categories; it was silently replaced for numbers."""
    told = INSTALLED.detector_problem("psi", kind="numeric")

    assert told == "psi does not fit numeric columns; those that do are ks, wasserstein"
    assert "jensen_shannon" in str(INSTALLED.detector_problem("ks", kind="categorical"))


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_the_limit_of_a_test_of_significance_is_a_p_value(limit: float) -> None:
    """A distance's limit for a p-value would always, or never, mean drift."""
    assert "between 0 and 1" in str(INSTALLED.detector_problem("chi_square", limit=limit))
    assert ("between 0 and 1" in str(INSTALLED.detector_problem("wasserstein", limit=limit))) is False


@pytest.mark.parametrize("limit", [0, -0.1])
def test_the_limit_of_a_distance_is_above_zero(limit: float) -> None:
    """Every distance is at least 0: at a limit of 0 each window would have drifted."""
    assert "a distance above 0" in str(INSTALLED.detector_problem("wasserstein", limit=limit))
    assert INSTALLED.detector_problem("wasserstein", limit=1e-9) is None
