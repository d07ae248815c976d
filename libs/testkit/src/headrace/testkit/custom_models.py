"""Two small models of declared tensors: digits of 8 x 8 pixels with two outputs, and topics of short texts."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

PIXELS = [f"p{at}" for at in range(64)]

DIGITS = '''
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression


def train(context):
    rows = context.frame
    made_of = context.task_options["inputs"][0]["columns"]
    fitted = LogisticRegression(C=context.params.get("C", 0.1), max_iter=50)
    fitted.fit(rows[made_of].to_numpy() / 16, rows[context.target])
    context.save(graph(fitted.coef_, fitted.intercept_))


def graph(coefficients, intercept):
    """[-1, 8, 8] pixels to the likeliest digit and the probability of each."""
    tensor, nodes = helper.make_tensor_value_info, []
    values = {
        "flat": np.array([-1, 64], np.int64),
        "weights": coefficients.T.astype(np.float32) / 16,
        "bias": intercept.astype(np.float32),
    }
    nodes.append(helper.make_node("Reshape", ["image", "flat"], ["row"]))
    nodes.append(helper.make_node("MatMul", ["row", "weights"], ["product"]))
    nodes.append(helper.make_node("Add", ["product", "bias"], ["sum"]))
    nodes.append(helper.make_node("Softmax", ["sum"], ["scores"], axis=1))
    nodes.append(helper.make_node("ArgMax", ["scores"], ["digit"], axis=1, keepdims=0))
    outputs = [tensor("digit", TensorProto.INT64, [None]), tensor("scores", TensorProto.FLOAT, [None, 10])]
    held = [numpy_helper.from_array(value, name) for name, value in values.items()]
    whole = helper.make_graph(nodes, "digits", [tensor("image", TensorProto.FLOAT, [None, 8, 8])], outputs, held)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
'''
"""Own code in Python that saves a graph."""

JUDGE = """
import numpy as np


def accuracy(truth, outputs):
    return float((outputs["digit"] == truth).mean())


def surprise(truth, outputs):
    told = outputs["scores"][np.arange(len(truth)), truth.astype(int)]
    return {"surprise": -np.log(np.maximum(told, 1e-9)).mean(), "more": 1.0}
"""
"""The functions that judge it."""

TOPICS = """
import json
import pathlib


def train(context):
    rows = context.frame
    counts = {}
    for text, topic in zip(rows["text"], rows[context.target]):
        for word in text.split():
            counts.setdefault(word, {}).setdefault(topic, 0)
            counts[word][topic] += 1
    folder = pathlib.Path("topics")
    folder.mkdir()
    (folder / "words.json").write_text(json.dumps(counts))
    (folder / "answer.py").write_text(pathlib.Path("answer.py").read_text())
    (folder / "process.json").write_text(json.dumps({"python": {"module": "answer"}}))
    context.save(folder)


def right(truth, outputs):
    return float((outputs["topic"] == truth).mean())
"""
ANSWER = """
import json
import pathlib

WORDS = json.loads((pathlib.Path(__file__).parent / "words.json").read_text())


def predict(columns):
    found = [said(text or "") for text in columns["text"]]
    return {"topic": [topic for topic, _ in found], "words": [known for _, known in found]}


def said(text):
    known = [WORDS[word] for word in text.split() if word in WORDS]
    topics = sorted({topic for each in known for topic in each}) or ["none"]
    best = max(topics, key=lambda topic: sum(each.get(topic, 0) for each in known))
    return best, len(known)
"""
"""A program that answers by the words of a text, how many of them it knows beside."""


def digits(rows: int = 400, start: int = 0) -> pd.DataFrame:
    """scikit-learn's digits, a column a pixel, with the digit as `target`."""
    bunch = load_digits()
    frame = pd.DataFrame(bunch.data, columns=PIXELS).assign(target=bunch.target)
    return frame.iloc[start : start + rows].reset_index(drop=True)


def images(frame: pd.DataFrame) -> np.ndarray:
    """The pixels as a request carries them, [rows, 8, 8]."""
    return frame[PIXELS].to_numpy(dtype=np.float32).reshape(-1, 8, 8)


def digit_options(**more: Any) -> dict[str, Any]:
    """What the task is told of the digits."""
    return {
        "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 8, 8], "columns": PIXELS}],
        "outputs": [
            {"name": "digit", "datatype": "INT64"},
            {"name": "scores", "datatype": "FP32", "shape": [-1, 10]},
        ],
        "metrics": [
            {"name": "digit-accuracy", "entry": "judge:accuracy", "goal": "maximize"},
            {"name": "surprise", "entry": "judge:surprise", "goal": "minimize"},
        ],
        **more,
    }


def texts(rows: int = 240) -> pd.DataFrame:
    """Sentences of four words about three things."""
    words = {
        "sea": ["wave", "ship", "salt", "harbour", "tide"],
        "sky": ["cloud", "wing", "star", "wind", "moon"],
        "soil": ["root", "seed", "stone", "worm", "field"],
    }
    chance = np.random.default_rng(3)
    topics = chance.choice(sorted(words), rows)
    told = [" ".join([*chance.choice(words[topic], 3), "today"]) for topic in topics]
    return pd.DataFrame({"text": told, "target": topics})


def topic_options() -> dict[str, Any]:
    """What the task is told of the texts."""
    return {
        "outputs": [{"name": "topic", "datatype": "BYTES"}, {"name": "words", "datatype": "INT64"}],
        "metrics": [{"name": "right", "entry": "train:right", "goal": "maximize", "resampled": False}],
    }
