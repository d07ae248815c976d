"""A protected attribute beside the model: sent, logged and watched for fairness, and never learned from."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

World = Any
ROWS, ASKED = 400, 240
FEATURES = ["age", "hours", "education", "occupation"]


def people(count: int, seed: int) -> pd.DataFrame:
    """Made-up people, some years of the 1990s: men hold the occupation that pays, so that a model may be unfair
    without ever being told who is who.
    """
    rng = np.random.default_rng(seed)
    sex = rng.choice(["female", "male"], count)
    manager = rng.uniform(size=count) < np.where(sex == "male", 0.75, 0.15)
    education = rng.integers(6, 17, count)
    income = 9.0 * manager + 0.3 * (education - 11) + rng.normal(0, 1.2, count)
    return pd.DataFrame(
        {
            "person": [f"person-{seed}-{at:04}" for at in range(count)],
            "age": rng.integers(18, 75, count),
            "hours": rng.integers(20, 60, count),
            "education": education,
            "occupation": np.where(manager, "manager", "clerk"),
            "sex": sex,
            "income": np.where(income > 4.5, ">50K", "<=50K"),
        }
    )


@pytest.fixture(scope="module")
def census(world: World) -> str:
    """A model of income that serves; `sex` is context, since it is a group and no feature."""
    world.client.apply(
        {
            "name": "census",
            "data": {"dataset": "people", "target": "income", "ignore": ["sex", "person"], "groups": ["sex"]},
            "training": {"params": {"max_iter": 30}},
            "evaluation": {"gates": [], "resamples": 20},
            "serving": {"strategy": "direct"},
            "monitoring": {"every": "PT1H", "minimum": 100, "fairness": {"limit": 0.2}},
        }
    )
    version = world.version_of("census", world.upload("people", people(ROWS, 1)))
    world.wait("rollout.completed", model="census", version=version)
    world.wait_until_good(lambda: world.client.served("census"))
    return "census"


def ask(world: World, census: str, asked: pd.DataFrame, moment: str, name: str) -> list[Any]:
    """Ask about people from a file, each by the key that the asker knows them by."""
    file = world.csv(asked, name)
    wishes = {"key": "person", "ignore_unknown": True, "time": moment}
    return list(world.client.predict_rows(census, str(file), **wishes))


def test_a_protected_attribute_is_watched_and_never_learned_from(world: World, census: str) -> None:
    """From declaration to the breach: not among the features, no part of any answer, and still compared."""
    run = next(iter(world.client.versions(census)))["run"]
    completed = world.wait("training.completed", run=run)
    asked = people(ASKED, 2)

    answers = ask(world, census, asked, "2026-03-01T08:10:00Z", "asked.csv")
    swapped = asked.assign(
        sex=asked["sex"].map({"male": "female", "female": "male"}), person=asked["person"] + "-again"
    )
    again = ask(world, census, swapped, "2026-03-01T12:10:00Z", "swapped.csv")
    without = ask(world, census, asked.drop(columns=["sex"]).head(5), "2026-03-01T16:10:00Z", "without.csv")

    assert sorted(column["name"] for column in completed.data["features"]) == sorted(FEATURES)
    assert [column["name"] for column in completed.data["signature"]["context"]] == ["sex"]
    assert [each["outputs"] for each in again] == [each["outputs"] for each in answers]
    assert [each["outputs"] for each in without] == [each["outputs"] for each in answers[:5]]
    breach = world.wait("fairness.breached", model=census)
    assert (breach.data["column"], breach.data["measure"]) == ("sex", "parity_difference")
    assert breach.data["value"] > breach.data["limit"]


def test_truth_is_reported_by_the_key_that_the_caller_knows(world: World, census: str) -> None:
    """Nobody had to write down a prediction's id."""
    asked = people(ASKED, 3)
    ask(world, census, asked, "2026-04-01T08:10:00Z", "keyed.csv")
    truths = [{"key": person, "value": income} for person, income in zip(asked["person"], asked["income"], strict=True)]

    taken = world.wait_until_good(
        lambda: world.client.truth(census, truths), lambda answer: answer["accepted"] == ASKED
    )
    ask(world, census, people(1, 4), "2026-04-01T12:10:00Z", "next.csv")

    judged = world.wait("window.evaluated", model=census, truths=ASKED)
    assert taken["unknown"] == 0
    assert judged.data["metrics"]["roc_auc"] > 0.8
