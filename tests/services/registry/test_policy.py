"""What loosens a declaration and what does not, field by field; and the stricter of two."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts import Gate
from headrace.contracts.generate.sources import find_sources
from headrace.registry.policy import FIELDS, GATE_LIMITS, Policy, implies, loosenings, policy_of, stricter
from headrace.tasks import parse_declaration
from headrace.testkit.builders import a_declaration

from .ways import WAYS, WORDS, declared

SCHEMA: dict[str, Any] = json.loads((Path(find_sources().schemas) / "model" / "v1.json").read_text())


def leaves(properties: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """The paths of a schema's fields, down to those that hold no further section."""
    for name, field in properties.items():
        section = SCHEMA["$defs"].get(field.get("$ref", "").removeprefix("#/$defs/"), {})
        if "properties" in section:
            yield from leaves(section["properties"], f"{at}{name}.")
        else:
            yield f"{at}{name}"


def whole(document: dict[str, Any]) -> dict[str, Any]:
    """A declaration with its defaults, as JSON."""
    return parse_declaration(document).model_dump(mode="json", exclude_none=True)


def test_every_field_of_the_declaration_is_classified() -> None:
    """A new field must say here whether a change of it can loosen what was promised."""
    assert set(leaves(SCHEMA["properties"])) == set(FIELDS)


def test_every_field_of_a_gate_is_known() -> None:
    """Those without a direction must be equal for one gate to say as much as another."""
    assert set(Gate.model_fields) == {"metric", "beats"} | GATE_LIMITS.keys()


def test_every_field_that_can_loosen_has_an_example_of_it() -> None:
    """`name` and `kind` cannot change, and the rest is free."""
    free = {path for path, rule in FIELDS.items() if rule.__name__ == "_free"}
    tried = {path for path, _, _ in WAYS}

    assert set(FIELDS) - free - {"name", "kind"} <= tried


@pytest.mark.parametrize(("path", "old", "new"), WAYS, ids=WORDS)
def test_each_way_to_loosen_is_found_and_told(path: str, old: Any, new: Any) -> None:
    """With the path and both values."""
    found = loosenings(whole(declared("m", path, old)), whole(declared("m", path, new)))

    assert any(each.startswith(path) for each in found), found


RULES_WITH_AN_ORDER = {"_less_harm", "_lengthened", "_shortened", "_lowered", "_raised"}
ORDERED = [way for way in WAYS if way[0] in FIELDS and FIELDS[way[0]].__name__ in RULES_WITH_AN_ORDER]


@pytest.mark.parametrize(("path", "old", "new"), ORDERED, ids=[f"{path}: {new} to {old}" for path, old, new in ORDERED])
def test_the_way_back_tightens(path: str, old: Any, new: Any) -> None:
    """What has an order counts in one direction alone."""
    assert loosenings(whole(declared("m", path, new)), whole(declared("m", path, old))) == []


TOLD = {"channel": "webhook", "to": "https://alerts.example.org", "severity": "warning"}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("data.features", ["a"], ["a", "b"]),
        ("data.ignore", [], ["x"]),
        ("training.params", {"max_iter": 1}, {"max_iter": 2}),
        ("training.estimator", None, "sklearn.linear_model.LogisticRegression"),
        ("training.seed", 0, 7),
        ("retraining.on", ["drift"], []),
        ("owner.team", "", "operations"),
        ("purpose", "", "Warn travellers."),
        ("data.groups", ["carrier"], ["carrier", "origin"]),
        ("serving.steps", [50, 100], [10, 50, 100]),
        ("serving.strategy", "direct", "canary"),
        ("monitoring.performance", None, {"metric": "roc_auc", "drop": 0.03}),
        ("monitoring.fairness", None, {"limit": 0.1}),
        ("monitoring.freshness", None, "P1D"),
        ("evaluation.gates", [], [{"metric": "roc_auc", "at_least": 0.5}]),
        ("evaluation.gates", [{"metric": "roc_auc", "at_least": 0.5}], [{"metric": "roc_auc", "at_least": 0.6}]),
        ("evaluation.gates", [{"metric": "brier", "at_most": 0.2}], [{"metric": "brier", "at_most": 0.1}]),
        ("evaluation.metrics", ["roc_auc"], ["roc_auc", "brier"]),
        ("approval.needed", 1, 2),
        ("approval.expires", "P7D", "PT168H"),
        ("monitoring.tell", [TOLD], [TOLD, {**TOLD, "to": "https://more.example.org"}]),
        ("monitoring.tell", [{**TOLD, "severity": "critical"}], [TOLD]),
        ("monitoring.tell", [{**TOLD, "severity": "critical"}], [{**TOLD, "severity": "critical"}, TOLD]),
    ],
)
def test_everyday_changes_and_what_is_newly_promised_loosen_nothing(path: str, old: Any, new: Any) -> None:
    """They take effect at once."""
    assert loosenings(whole(declared("m", path, old)), whole(declared("m", path, new))) == []


def test_a_field_that_nobody_has_classified_counts_by_any_change() -> None:
    """A declaration of a newer version is no way around."""
    assert loosenings({"future": {"limit": 1}}, {"future": {"limit": 2}}) == ["future.limit: 1 to 2"]


GATES = [
    {"metric": metric, **limit}
    for metric, limit in product(
        ["roc_auc", "brier"],
        [{"at_least": 0.5}, {"at_least": 0.7}, {"at_most": 0.2}, {"at_most": 0.3}, {"beats": "champion", "by": 0.0},
         {"beats": "champion", "by": 0.01}, {"beats": "trivial", "by": 0.0}],
    )
]  # fmt: skip
policies = st.builds(
    lambda gates, needed, days, confidence: policy_of(
        a_declaration(
            evaluation={"gates": gates, "confidence": confidence}, approval={"needed": needed, "expires": f"P{days}D"}
        )
    ),
    st.lists(st.sampled_from(GATES), max_size=4),
    st.integers(0, 3),
    st.integers(1, 9),
    st.sampled_from([0.8, 0.9, 0.95]),
)


def says(policy: Policy, other: Policy) -> bool:
    """Whether whatever meets `policy` meets `other`."""
    gates = [gate.model_dump(exclude_none=True) for gate in policy.gates]
    asked = [gate.model_dump(exclude_none=True) for gate in other.gates]
    every = all(any(implies(gate, each) for gate in gates) for each in asked)
    limits = policy.needed >= other.needed and policy.expires <= other.expires
    return every and limits and policy.confidence >= other.confidence and set(other.metrics) <= set(policy.metrics)


@given(policies, policies)
def test_the_stricter_of_two_satisfies_both_and_asks_for_nothing_else(one: Policy, other: Policy) -> None:
    """In either order; and no gate stands there beside one that says more."""
    both = stricter(one, other)

    assert says(both, one)
    assert says(both, other)
    assert {gate.model_dump_json() for gate in both.gates} <= {
        gate.model_dump_json() for gate in (*one.gates, *other.gates)
    }
    assert says(both, stricter(other, one))
    assert len(both.gates) == len(stricter(both, both).gates)


@given(policies)
def test_a_policy_is_as_strict_as_itself(policy: Policy) -> None:
    """Judged under one declaration, nothing is added."""
    assert says(policy, stricter(policy, policy))
    assert says(stricter(policy, policy), policy)


def test_of_gates_that_say_the_same_the_first_is_kept() -> None:
    """A promise that stands twice is one promise, and one that another one implies is none."""
    gates = [{"metric": "roc_auc", "at_least": 0.5}, {"metric": "brier", "at_most": 0.2}]
    policy = policy_of(a_declaration(evaluation={"gates": gates}))
    more = policy_of(a_declaration(evaluation={"gates": [{"metric": "roc_auc", "at_least": 0.7}]}))

    assert stricter(policy, policy).gates == policy.gates
    assert {gate.at_least for gate in stricter(policy, more).gates if gate.metric == "roc_auc"} == {0.7}
    assert stricter(policy, more).gates == (policy.gates[1], *more.gates)
