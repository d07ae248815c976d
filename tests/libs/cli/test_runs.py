"""What the command line says of a run."""

from typing import Any

import pytest

from headrace.cli.models import exit_code, ran

FAILED = {"reason": "asked for", "outcome": {"because": "data", "reason": "2 rows are too few to train on"}}


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({"state": "failed", **FAILED}, "run r: failed; data: 2 rows are too few to train on"),
        ({"state": "failed", "reason": "asked for", "outcome": None}, "run r: failed; code: no reason is known"),
        ({"state": "rejected", "version": 2, "reason": "roc_auc 0.5"}, "run r: rejected; version 2; roc_auc 0.5"),
        ({"state": "champion", "version": 1, "reason": None}, "run r: champion; version 1"),
        ({"state": "queued", "waits_detail": "no node has cpus 64"}, "run r: queued; no node has cpus 64"),
        (
            {"state": "approved", "version": 1, "warnings": ["a", "b"]},
            "run r: approved; version 1\n  warning: a\n  warning: b",
        ),
    ],
)
def test_a_run_says_why_it_failed_or_waits_and_what_to_look_at(run: dict[str, Any], said: str) -> None:
    """Never why it was asked for in place of why it failed."""
    assert ran({"run": "r", **run}) == said


@pytest.mark.parametrize(
    ("state", "code"),
    [("approved", 0), ("pending", 0), ("rejected", 1), ("expired", 1), ("revoked", 1), ("failed", 1), ("cancelled", 1)],
)
def test_what_became_of_a_run_is_the_exit_code_of_waiting_for_it(state: str, code: int) -> None:
    """A pipeline goes on where the version may serve, or people will say so."""
    assert exit_code({"state": state}) == code
