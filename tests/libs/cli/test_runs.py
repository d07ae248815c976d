"""What the command line says of a run."""

from typing import Any, cast

import pytest

from headrace.cli.models import _with_room, exit_code, priority_asked, ran
from headrace.client import Client

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
    ("given", "asked"), [(None, None), ("high", "high"), ("5", 5), ("-10", -10), ("5.5", "5.5"), ("", "")]
)
def test_a_priority_is_a_number_where_it_is_written_as_one(given: str | None, asked: int | str | None) -> None:
    """Else a name, which the trainer knows or refuses."""
    assert priority_asked(given) == asked


@pytest.mark.parametrize(
    ("state", "code"),
    [("approved", 0), ("pending", 0), ("rejected", 1), ("expired", 1), ("revoked", 1), ("failed", 1), ("cancelled", 1)],
)
def test_what_became_of_a_run_is_the_exit_code_of_waiting_for_it(state: str, code: int) -> None:
    """A pipeline goes on where the version may serve, or people will say so."""
    assert exit_code({"state": state}) == code


class Trainer:
    """A trainer that is asked whether there is room, and says that there is none."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}

    def room(self, **asked: Any) -> str:
        """Why such a run could not start."""
        self.asked = asked
        return "no node of the Ray cluster has fpga 1"


def test_apply_asks_for_room_for_all_that_a_run_takes_and_in_its_owners_name() -> None:
    """The model is declared all the same, with a warning: such a node may join, and a quota may be raised."""
    trainer, resources = Trainer(), {"cpus": 2, "custom": {"fpga": 1}}
    declaration = {
        "name": "rare",
        "owner": {"team": "ops"},
        "data": {"dataset": "flights", "target": "late"},
        "training": {"resources": resources},
    }

    told = _with_room(cast("Client", trainer), declaration, {"name": "rare", "warnings": ["first"]})

    assert told["warnings"] == ["first", "training: no node of the Ray cluster has fpga 1"]
    assert trainer.asked == {"cpus": 2, "gpus": 0, "custom": {"fpga": 1}, "framework": "sklearn", "owner": "ops"}
