"""Frameworks that are extras, each from a declaration to an answer: `make frameworks` plays them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.frameworks import CATALOG

World = Any
ROWS = 900


@pytest.fixture
def framework(request: pytest.FixtureRequest) -> str:
    """One that is installed here."""
    name: str = request.param
    if CATALOG[name].installed is None:
        pytest.skip(f"{name} is not installed here: `make frameworks`")
    return name


def flights() -> pd.DataFrame:
    """Late where the wind is strong, and more often with one carrier; newer rows count more."""
    chance = np.random.default_rng(3)
    wind, carrier = chance.gamma(2.0, 8.0, ROWS).round(2), chance.choice(["AA", "DL", "UA"], ROWS)
    late = wind + (carrier == "UA") * 15 + chance.normal(0, 6, ROWS) > 25
    return pd.DataFrame(
        {
            "wind": np.where(chance.random(ROWS) < 0.05, np.nan, wind),
            "carrier": carrier,
            "counts": np.linspace(0.5, 1.5, ROWS).round(3),
            "late": np.where(late, "late", "in time"),
        }
    )


def declared(name: str, framework: str) -> dict[str, Any]:
    """A classifier that is asked for everything that a declaration can ask of the framework."""
    params = {"xgboost": {"n_estimators": 200}, "catboost": {"iterations": 200}, "torch": {"epochs": 30}}[framework]
    monotone = {} if framework == "torch" else {"monotone": {"wind": 1}}
    return {
        "kind": "Model",
        "name": name,
        "task": "binary",
        "data": {"dataset": name, "target": "late", "weight": "counts", "positive": "late"},
        "training": {
            "framework": framework,
            "params": params,
            "class_weight": {"late": 2},
            **monotone,
            "early_stopping": {"rounds": 20, "fraction": 0.2},
        },
        "evaluation": {"gates": [{"metric": "roc_auc", "at_least": 0.8}]},
        "serving": {"strategy": "direct", "bake": "PT0S"},
    }


@pytest.mark.parametrize(
    ("framework", "distributions", "native"),
    [("xgboost", {"xgboost-cpu", "xgboost"}, False), ("catboost", {"catboost"}, True), ("torch", {"torch"}, False)],
    indirect=["framework"],
)
def test_a_framework_is_lived_from_a_declaration_to_an_answer(
    world: World, framework: str, distributions: set[str], native: bool
) -> None:
    """Declared, trained with what was asked, gated, rolled out, and asked; the run says which library made it."""
    name = f"{framework}-journey"
    world.upload(name, flights())
    world.client.apply(declared(name, framework))

    trained = world.wait("training.completed", model=name).data
    registered = world.wait("version.registered", model=name, version=1).data
    world.wait("rollout.completed", model=name, version=1)

    assert trained["estimator"] == CATALOG[framework].classifier
    assert distributions & set(trained["packages"])
    assert [each["name"] for each in registered["signature"]["inputs"]] == ["wind", "carrier"]
    assert trained["metrics"]["roc_auc"] > 0.8
    told = f"the model is answered by {framework} itself"
    assert any(told in each for each in trained.get("warnings", [])) == native

    asked = {"wind": [1.0, 80.0, None, 20.0], "carrier": ["AA", "UA", "never seen", "DL"]}
    answer = world.wait_until_good(lambda: world.client.predict(name, asked))
    outputs = {each["name"]: each["data"] for each in answer["outputs"]}
    assert outputs["label"][:2] == ["in time", "late"]
    assert outputs["probability"][0] < 0.5 < outputs["probability"][1]
    assert len(outputs["label"]) == 4
