"""ONNX graphs of our own layout and of any other."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from headrace.contracts import Signature, Tensor
from headrace.runtimes import BadModel, PickleFound, load
from headrace.runtimes.layout import Layout

from .conftest import graph_of, save, save_classifier

NUMBER = Tensor(name="wind", datatype="FP32", shape=[-1])
WORD = Tensor(name="carrier", datatype="BYTES", shape=[-1])
OUTPUT = Tensor(name="prediction", datatype="FP32", shape=[-1, 1])


def apart(folder: Path, *, inputs: list[Tensor] | None = None, outputs: list[Tensor] | None = None) -> None:
    """A graph that takes each column as a tensor of its own, as graphs from elsewhere do."""
    nodes = [
        helper.make_node("Mul", ["wind", "two"], ["twice"]),
        helper.make_node("Identity", ["carrier"], ["echo"]),
        helper.make_node("Identity", ["twice"], ["prediction"]),
    ]
    graph = graph_of(
        nodes,
        [
            helper.make_tensor_value_info("wind", TensorProto.FLOAT, [None, 1]),
            helper.make_tensor_value_info("carrier", TensorProto.STRING, [None]),
        ],
        [
            helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1]),
            helper.make_tensor_value_info("echo", TensorProto.STRING, [None]),
        ],
        [helper.make_tensor("two", TensorProto.FLOAT, [], [2.0])],
    )
    save(folder, graph, Signature(task="regression", inputs=inputs or [NUMBER, WORD], outputs=outputs or [OUTPUT]))


def test_a_graph_with_an_input_a_column_takes_each_by_its_name(tmp_path: Path) -> None:
    """As [rows] or [rows, 1], whatever the graph wants; what is missing is NaN or an empty string."""
    apart(tmp_path)

    told = load(tmp_path).answer({"wind": [1.5, None], "carrier": ["UA", None]})

    np.testing.assert_equal(told["prediction"], [[3.0], [np.nan]])
    assert told["echo"].tolist() == ["UA", ""]


def test_a_graph_that_is_not_as_its_signature_says_is_refused(tmp_path: Path) -> None:
    """An input or output more or less would be found out by the first caller."""
    apart(tmp_path, inputs=[NUMBER])
    with pytest.raises(BadModel, match=r"the graph takes carrier, wind, its signature says wind"):
        load(tmp_path)

    apart(tmp_path, outputs=[OUTPUT, Tensor(name="label", datatype="INT64", shape=[-1])])
    with pytest.raises(BadModel, match=r"the graph does not give label, .* it gives echo, prediction"):
        load(tmp_path)


def test_an_unknown_runtime_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    """A directory from a newer release may name one that is not there yet."""
    save_classifier(tmp_path)
    described = (tmp_path / "MLmodel").read_text()
    (tmp_path / "MLmodel").write_text(described.replace("runtime: onnx", "runtime: onyx"))

    with pytest.raises(BadModel, match=r"runtime 'onyx' is not known; did you mean 'onnx'\?"):
        load(tmp_path)


def test_a_directory_without_our_flavor_is_refused(tmp_path: Path) -> None:
    """What MLflow itself has saved is no directory of ours; it is imported."""
    (tmp_path / "MLmodel").write_text("flavors: {sklearn: {}}")

    with pytest.raises(BadModel, match="has no flavor 'headrace'"):
        load(tmp_path)


def test_no_runtime_loads_what_holds_a_pickle(tmp_path: Path) -> None:
    """Whatever the runtime, and wherever it lies."""
    save_classifier(tmp_path)
    (tmp_path / "notes.pkl").write_bytes(b"harmless")

    with pytest.raises(PickleFound):
        load(tmp_path)


def test_a_layout_survives_its_own_text() -> None:
    """It travels in the graph's properties."""
    layout = Layout(numbers=("a", "b"), strings=("c",))

    assert Layout.loads(layout.dumps()) == layout
    assert layout.one_matrix(("a", "b")) is None
    assert Layout(("a", "b"), ()).one_matrix(("a", "b")) == np.float32
    assert Layout(("a", "b"), (), "float64").one_matrix(("a", "b")) == np.float64
    assert Layout(("a", "b"), ()).one_matrix(("b", "a")) is None
