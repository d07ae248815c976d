"""Models of declared tensors, from own code or a file made elsewhere to answers, a judged window and their trace."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from headrace.cli.app import run
from headrace.client.errors import Rejected
from headrace.testkit import custom_models as models
from headrace.testkit.sample_data import START

World = Any
DIRECT = {"serving": {"strategy": "direct", "bake": "PT0S"}, "monitoring": {"every": "PT1H", "minimum": 30}}


def push(world: World, package: str, folder: Path, files: dict[str, str]) -> None:
    """Make some files a package of code."""
    folder.mkdir()
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    world.client.push_code(package, folder)


def declared(name: str, options: dict[str, Any], training: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """A custom model of a dataset of its own name."""
    data = {"dataset": parts.pop("dataset", name), "target": "target"}
    told = {"kind": "Model", "name": name, "task": "custom", "data": data, "task_options": options}
    return {**told, "training": training, **DIRECT, **parts}


def infer(world: World, model: str, tensor: dict[str, Any], hour: int) -> Any:
    """Ask by the protocol, at an hour of event time."""
    moment = (START + timedelta(days=365, hours=hour)).isoformat()
    body = {"inputs": [tensor], "parameters": {"time": moment}}
    return world.client.http.json("POST", "inference", f"/v2/models/{model}/infer", json=body)


def image(frame: Any, **parts: Any) -> dict[str, Any]:
    """Rows of digits as one tensor."""
    pixels = models.images(frame)
    return {"name": "image", "shape": list(pixels.shape), "datatype": "FP32", "data": pixels.tolist(), **parts}


def outputs(answer: Any) -> dict[str, np.ndarray]:
    """The outputs by name, in the shape that the answer says."""
    return {each["name"]: np.array(each["data"]).reshape(each["shape"]) for each in answer["outputs"]}


def test_digits_are_declared_trained_gated_served_judged_and_traced(world: World, tmp_path: Path) -> None:
    """Two outputs of one graph that own code made, judged by functions that are not shown to it."""
    name, frame = "digits-journey", models.digits(500)
    push(world, "digits", tmp_path / "digits", {"train": models.DIGITS, "judge": models.JUDGE})
    training = {"code": {"package": "digits", "entry": "train:train"}}
    gates = [{"metric": "digit-accuracy", "at_least": 0.8}, {"metric": "surprise", "at_most": 2}]
    world.client.apply(declared(name, models.digit_options(), training, evaluation={"gates": gates}))
    world.upload(name, frame)

    evaluated = world.wait("evaluation.completed", model=name).data
    assert set(evaluated["metrics"]["candidate"]) == {"digit-accuracy", "surprise"}
    assert evaluated["baselines"] == []
    approved = world.wait("version.approved", model=name, version=1).data
    assert [gate["passed"] for gate in approved["gates"]] == [True, True]
    world.wait("rollout.completed", model=name, version=1)

    asked = models.digits(60, start=900)
    answer = world.wait_until_good(lambda: infer(world, name, image(asked), hour=1))
    said = outputs(answer)
    assert [(each["name"], each["datatype"]) for each in answer["outputs"]] == [("digit", "INT64"), ("scores", "FP32")]
    assert said["scores"].shape == (60, 10)
    assert said["digit"].tolist() == said["scores"].argmax(axis=1).tolist()
    assert (said["digit"] == asked["target"]).mean() > 0.7
    refused(world, name, asked)
    sent = world.client.predict(name, {"image": models.images(asked)[:2].tolist()})
    assert outputs(sent)["digit"].tolist() == said["digit"][:2].tolist()

    prediction = answer["parameters"]["prediction_id"]
    labels = [{"prediction_id": f"{prediction}:{at}", "value": int(v)} for at, v in enumerate(asked["target"])]
    told = world.wait_until_good(lambda: world.client.truth(name, labels), lambda found: found["accepted"] == 60)
    assert told["accepted"] == 60
    infer(world, name, image(asked.head(1)), hour=5)
    window = world.wait("window.evaluated", model=name, truths=60).data
    assert window["metrics"] == {}
    [reason] = [each["reason"] for each in window["not_judged"] if "quality" in each["reason"]]
    assert (
        reason == "metrics are functions of the model's own package, which only the trainer runs: no figures of quality"
    )
    assert {each["column"] for each in window["drift"] if each["role"] == "feature"} == set(models.PIXELS)
    [watched] = [each for each in window["drift"] if each["role"] == "prediction"]
    assert watched["kind"] == "numeric"

    trace = world.wait_until_good(
        lambda: world.client.http.json("GET", "audit", f"/trace/prediction/{prediction}"),
        lambda found: not found["missing"],
    )
    kinds = {each["type"] for each in trace["events"]}
    assert {"headrace.training.completed.v1", "headrace.evaluation.completed.v1"} <= kinds


def refused(world: World, name: str, asked: Any) -> None:
    """A tensor of another shape, datatype or name is named with what the model takes."""
    two = asked.head(2)
    flat = models.images(two).reshape(2, 64).tolist()
    words = [[["x"] * 8] * 8] * 2
    wrong = {
        r"input 'image': shape \[2, 64\]; the model takes \[-1, 8, 8\]": image(two, shape=[2, 64], data=flat),
        "input 'image': datatype is BYTES; the column takes FP32": image(two, datatype="BYTES", data=words),
        "unknown input 'picture'; the model takes 'image'": image(two, name="picture"),
    }
    for said, tensor in wrong.items():
        with pytest.raises(Rejected, match=said) as error:
            infer(world, name, tensor, hour=1)
        assert error.value.status == 400


def test_topics_of_texts_are_answered_by_a_program(world: World, tmp_path: Path) -> None:
    """A text model in a process of its own, with text and a number for each row."""
    name = "topics-journey"
    push(world, "topics", tmp_path / "topics", {"train": models.TOPICS, "answer": models.ANSWER})
    gates = [{"metric": "right", "at_least": 0.9}]
    training = {"code": {"package": "topics", "entry": "train:train"}}
    world.client.apply(declared(name, models.topic_options(), training, evaluation={"gates": gates}))
    world.upload(name, models.texts())

    world.wait("rollout.completed", model=name, version=1)

    told = {"text": ["star wind moon today", "ship salt"]}
    said = outputs(world.wait_until_good(lambda: world.client.predict(name, told)))
    assert said["topic"].tolist() == ["sky", "sea"]
    assert said["words"].tolist() == [4, 2]


def test_a_graph_of_two_outputs_is_imported_and_answers(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was trained elsewhere, and is judged by the functions of a package that the declaration names."""
    name, frame = "bought-digits", models.digits(300)
    push(world, "digit-judge", tmp_path / "judge", {"judge": models.JUDGE})
    fitted = LogisticRegression(C=0.1, max_iter=50).fit(frame[models.PIXELS].to_numpy() / 16, frame["target"])
    inside: dict[str, Any] = {}
    exec(models.DIGITS, inside)
    (tmp_path / "digits.onnx").write_bytes(inside["graph"](fitted.coef_, fitted.intercept_).SerializeToString())
    gates = [{"metric": "digit-accuracy", "at_least": 0.6}]  # of rows by other writers
    options = models.digit_options(package="digit-judge@1")
    world.client.apply(declared(name, options, {"on": []}, evaluation={"gates": gates}))
    world.upload(name, models.digits(200, start=300))
    monkeypatch.chdir(world.stack.layout.folder.parent)

    given = ["--learned-from", "none", "--wait", "--timeout", "240"]
    assert run(["import", name, str(tmp_path / "digits.onnx"), *given]) == 0

    registered = world.wait("version.registered", model=name).data
    world.wait("rollout.completed", model=name, version=registered["version"])
    said = outputs(world.wait_until_good(lambda: infer(world, name, image(frame.head(5)), hour=1)))
    assert said["digit"].tolist() == fitted.predict(frame[models.PIXELS].head(5).to_numpy() / 16).tolist()
