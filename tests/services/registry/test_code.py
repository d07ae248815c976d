"""Declarations with code of their own: what is refused when they are made, on each way in."""

import json
from typing import Any

import pytest

from headrace.contracts import CodePushed, ModelDeclared, RequestRefused
from headrace.testkit import Harness, a

ENTRY = {"package": "net", "entry": "train:train"}


def document(**code: Any) -> dict[str, Any]:
    """A model that own code trains."""
    return {"data": {"dataset": "d", "target": "t"}, "training": {"code": {**ENTRY, **code}}}


async def pushed(on: Harness, package: str = "net", version: int = 1) -> None:
    """The trainer has told of a version of a package."""
    await on.say(a(CodePushed, package=package, version=version))
    await on.quiet()


async def test_own_code_can_be_declared_once_it_was_pushed(on: Harness) -> None:
    """The framework need not be named; a version may be."""
    await pushed(on)
    await pushed(on, version=2)

    for package in ("net", "net@1", "net@2"):
        answer = await on.http.put(f"/models/m{package[-1]}", json=document(package=package))
        assert answer.status_code == 201, answer.text

    told = (await on.heard(ModelDeclared, "mt")).data.declaration
    assert (told.training.framework, told.training.estimator) == ("code", None)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ({"package": "nett"}, "did you mean 'net'"),
        ({"package": "net@3"}, "'net' has no version 3; its newest is 1"),
        ({"command": ["Rscript", "train.R"]}, "exactly one of entry and command"),
        ({"entry": None}, "exactly one of entry and command"),
        ({"entry": "train.py"}, "entry"),
        ({"environment": "../lock.txt"}, "is no file of the package"),
    ],
)
async def test_what_is_wrong_with_own_code_is_said_on_every_way_in(
    on: Harness, code: dict[str, Any], reason: str
) -> None:
    """By HTTP and by an event, with its place."""
    await pushed(on)
    wrong = document(**code)
    wrong["training"]["code"] = {name: value for name, value in wrong["training"]["code"].items() if value is not None}

    answer = await on.http.put("/models/m", json=wrong)
    await on.publish("headrace.request.declaration.m", json.dumps(wrong).encode())

    assert answer.status_code == 422
    assert "training.code" in answer.json()["detail"]
    assert reason in answer.json()["detail"]
    assert reason in (await on.heard(RequestRefused)).data.reason
    assert on.all(ModelDeclared) == []


async def test_where_nothing_was_pushed_it_says_how(on: Harness) -> None:
    """The command that makes the package, by its name."""
    answer = await on.http.put("/models/m", json=document())

    assert "headrace code push net FOLDER" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        ({"framework": "sklearn", "code": ENTRY}, "belongs to the framework code"),
        ({"framework": "code"}, "say its package here"),
        ({"code": ENTRY, "estimator": "sklearn.svm.SVC"}, "has no estimators; leave it out"),
        ({"code": ENTRY, "class_weight": "balanced"}, "own code does so by itself"),
    ],
)
async def test_own_code_and_estimators_are_apart(on: Harness, training: dict[str, Any], reason: str) -> None:
    """One framework runs code, and no other does."""
    await pushed(on)

    answer = await on.http.put("/models/m", json={**document(), "training": training})

    assert (answer.status_code, reason in answer.json()["detail"]) == (422, True), answer.text
