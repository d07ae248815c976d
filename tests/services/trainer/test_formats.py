"""Artifacts that were made elsewhere, taken over by a worker: read, converted, compared with themselves, judged."""

import io
import json
import pickle
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
from onnx import TensorProto, helper
from sklearn.ensemble import RandomForestClassifier

from headrace.contracts import Column, DatasetIngested, ObjectPlace
from headrace.runtimes import Model
from headrace.testkit.s3 import S3
from headrace.trainer.formats.archive import check
from headrace.trainer.formats.base import BadArtifact
from headrace.trainer.formats.catalog import FORMATS, sniffed
from headrace.trainer.worker.importing import bring
from headrace.trainer.worker.jobs import ImportJob, Step

from . import made_elsewhere as made
from .conftest import COLUMNS, World, flights
from .takeovers import FEATURES, ONE, SIGMOID, data_of, onnx_bytes, refused, served, taken


def answers(model: Model, rows: pd.DataFrame) -> np.ndarray:
    """The probability of the positive label as served."""
    return np.asarray(model.answer({name: rows[name].to_numpy() for name in made.FEATURES})["probability"])


def example(name: str, rows: pd.DataFrame) -> tuple[bytes, Any]:
    """An artifact of each format, and the model that it was made of."""
    if name == "onnx":
        return bytes(made.graph(rows).SerializeToString()), made.pipeline(rows)
    if name == "lightgbm":
        booster = made.booster(rows)
        return booster.model_to_string().encode(), booster
    if name == "skops":
        return made.skops_file(rows), made.pipeline(rows)
    if name == "xgboost":
        pytest.importorskip("xgboost", reason="`make frameworks` has XGBoost, and its own tests")
        booster = made.xgboost_booster(rows)
        return bytes(booster.save_raw("json")), booster
    if name == "pmml":
        return made.pmml(rows), made.pipeline(rows)
    if name == "mlflow":
        flavor = {"onnx": {"data": "model.onnx", "onnx_version": "1.19"}}
        return made.tar(made.mlflow(flavor, {"model.onnx": example("onnx", rows)[0]})), made.pipeline(rows)
    pytest.fail(f"format {name} has no example here: write one")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_answers_as_its_own_library(name: str, known: tuple[S3, DatasetIngested], tmp_path: Path) -> None:
    """What is served is compared with the library on rows that the import has not seen, too."""
    rows = flights()
    data, own = example(name, rows)

    brought = taken(known, data, name)

    fresh = flights(rows=2_000, seed=7)
    apart = np.abs(answers(served(known, brought, tmp_path), fresh) - made.probability(own, fresh))
    assert float(apart.max()) < 1e-6
    assert brought.format == name
    assert brought.largest_difference < 1e-6
    assert (brought.compared_rows, brought.differing_rows) == (150, 0)
    assert brought.metrics["roc_auc"] > 0.8
    assert [tensor.name for tensor in brought.signature.outputs] == ["label", "probability"]
    assert [column.name for column in brought.features] == made.FEATURES
    assert "nobody says which rows it has learned from" in brought.warnings[0]


@pytest.mark.parametrize("name", FORMATS)
def test_a_cut_artifact_is_refused(name: str, known: tuple[S3, DatasetIngested]) -> None:
    """A file that ends too early is damaged, whatever it is."""
    data, _ = example(name, flights())
    assert refused(known, data[: min(1800, len(data) - 100)])


@pytest.mark.parametrize("name", FORMATS)
def test_an_artifact_is_recognized_by_its_content(name: str, tmp_path: Path) -> None:
    """No name is needed, and a wrong format is told."""
    data, _ = example(name, flights())
    folder = tmp_path / "artifact"
    folder.mkdir()
    if name == "mlflow":
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(folder, filter="data")
    else:
        (folder / "model").write_bytes(data)

    assert sniffed(folder).name == name
    other = "lightgbm" if name != "lightgbm" else "skops"
    with pytest.raises(BadArtifact, match=f"as `format: {other}` says"):
        sniffed(folder, other)


def test_what_is_none_of_the_formats_is_told_which_there_are(known: tuple[S3, DatasetIngested]) -> None:
    """A text file is no model."""
    reason = refused(known, b"hello", "readme.txt")
    assert reason.startswith("readme.txt is none of the formats that can be imported")
    assert all(name in reason for name in FORMATS)


# inputs


def test_a_matrix_takes_the_columns_in_the_order_that_is_said(known: tuple[S3, DatasetIngested]) -> None:
    """A graph of one matrix knows no names."""
    brought = taken(known, onnx_bytes(SIGMOID), order=["wind"])
    assert [column.name for column in brought.features] == ["wind"]
    assert "takes 1 columns, and the declaration has 2 (wind, carrier)" in refused(known, onnx_bytes(SIGMOID))


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ([4, 1], "always 4 rows"),
        ([], "one value without a dimension for rows"),
        (["rows", 3, 8, 8], "a row is one value, or one row of them"),
    ],
)
def test_an_input_of_another_shape_than_rows_is_named(shape: Any, why: str, known: tuple[S3, DatasetIngested]) -> None:
    """A fixed batch, no batch at all, and images are none that rows of a dataset fill."""
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("p", TensorProto.FLOAT, shape)]
    reason = refused(known, onnx_bytes(SIGMOID, inputs=inputs, outputs=outputs), **ONE)
    assert "input 'X'" in reason
    assert why in reason


def test_a_column_of_any_width_takes_the_declared_features(known: tuple[S3, DatasetIngested]) -> None:
    """A dynamic second dimension is as wide as there are features."""
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", "columns"])]
    outputs = [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["rows", "columns"])]
    brought = taken(known, onnx_bytes(SIGMOID, inputs=inputs, outputs=outputs), **ONE)
    assert [tensor.datatype for tensor in brought.signature.inputs] == ["FP64"]


@pytest.mark.parametrize(
    ("column", "kind", "why"),
    [
        ("carrier", TensorProto.FLOAT, "takes FP32, and column 'carrier' holds the type string"),
        ("wind", TensorProto.STRING, "takes BYTES, and column 'wind' holds the type number"),
        ("wind", TensorProto.INT64, "takes INT64, and column 'wind' holds the type number"),
        ("wind", TensorProto.COMPLEX64, "ONNX Runtime cannot load the graph"),
    ],
)
def test_an_input_of_another_type_than_its_column_is_named(
    column: str, kind: int, why: str, known: tuple[S3, DatasetIngested]
) -> None:
    """Both types are said."""
    inputs = [helper.make_tensor_value_info(column, kind, ["rows", 1])]
    shape = helper.make_node("Shape", [column], ["n"])
    fill = helper.make_node("ConstantOfShape", ["n"], ["p"])
    assert why in refused(known, onnx_bytes(shape, fill, inputs=inputs))


def test_tensors_that_lose_precision_as_float32_come_apart(known: tuple[S3, DatasetIngested], tmp_path: Path) -> None:
    """A graph that takes float64 beside text is asked with its own types, under the columns' names."""
    inputs = [
        helper.make_tensor_value_info("a", TensorProto.DOUBLE, ["rows", 1]),
        helper.make_tensor_value_info("b", TensorProto.STRING, ["rows", 1]),
    ]
    nodes = [helper.make_node("Sigmoid", ["a"], ["s"]), helper.make_node("Cast", ["s"], ["p"], to=TensorProto.FLOAT)]
    brought = taken(known, onnx_bytes(*nodes, inputs=inputs), order=["wind", "carrier"])
    assert [(t.name, t.datatype) for t in brought.signature.inputs] == [("wind", "FP64"), ("carrier", "BYTES")]
    rows = flights(rows=5, seed=3)
    expected = (1 / (1 + np.exp(-rows.wind))).to_numpy().astype(np.float32)
    assert answers(served(known, brought, tmp_path), rows) == pytest.approx(expected, abs=1e-6)


def test_a_model_that_takes_the_target_or_what_is_no_feature_is_refused(known: tuple[S3, DatasetIngested]) -> None:
    """The declaration says what a model may see; an imported one sees no more."""
    rows = flights()
    told = {"verbosity": -1, "objective": "binary"}
    named = lightgbm.train(told, lightgbm.Dataset(rows[["late", "wind"]], rows.late))
    assert "takes 'late', which is the target" in refused(known, named.model_to_string().encode())
    other = rows.rename(columns={"wind": "wnd"})
    named = lightgbm.train(told, lightgbm.Dataset(other[["wnd"]], rows.late))
    reason = refused(known, named.model_to_string().encode())
    assert "takes 'wnd', which is no feature of the declaration in dataset flights; its features are wind" in reason


# outputs


def test_maps_of_probabilities_become_a_matrix(known: tuple[S3, DatasetIngested], tmp_path: Path) -> None:
    """What skl2onnx writes by default, a sequence of maps, is no tensor; the graph that serves has none."""
    data, _ = example("onnx", flights())
    assert b"ZipMap" in data
    brought = taken(known, data)
    folder = known[0].sync.get_directory(brought.artifact, tmp_path / "model")
    kinds = {node.op_type for node in onnx.load(folder / "model.onnx").graph.node}
    assert "ZipMap" not in kinds


def test_one_of_several_outputs_is_chosen_by_name(known: tuple[S3, DatasetIngested]) -> None:
    """Which output is meant cannot be guessed, and is said."""
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 1]) for name in ("p", "logit")]
    data = onnx_bytes(SIGMOID, helper.make_node("Identity", ["X"], ["logit"]), outputs=outputs)
    reason = refused(known, data, **ONE)
    assert "the graph gives p (tensor(float)), logit (tensor(float)); say which one is meant" in reason
    assert taken(known, data, outputs={"probability": "p"}, **ONE).metrics["roc_auc"] > 0.5
    assert "no probabilities: those of a row are" in refused(known, data, outputs={"probability": "logit"}, **ONE)
    assert "output 'q', named for probability, is none of the graph's" in refused(
        known, data, outputs={"probability": "q"}, **ONE
    )


def test_a_threshold_of_its_own_is_kept_where_it_is_asked_for(
    known: tuple[S3, DatasetIngested], tmp_path: Path
) -> None:
    """A label that is not the most probable one would be lost without a word; it is told instead."""
    nodes = [
        helper.make_node("Div", ["X", "hundred"], ["p"]),
        helper.make_node("Less", ["tenth", "p"], ["above"]),
        helper.make_node("Cast", ["above"], ["label"], to=TensorProto.INT64),
    ]
    constants = [
        helper.make_tensor("hundred", TensorProto.FLOAT, [], [100.0]),
        helper.make_tensor("tenth", TensorProto.FLOAT, [], [0.1]),
    ]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, ["rows", 1]),
        helper.make_tensor_value_info("p", TensorProto.FLOAT, ["rows", 1]),
    ]
    data = onnx_bytes(*nodes, outputs=outputs, initializer=constants)
    assert "the artifact's own label is another one than the most probable" in refused(known, data, **ONE)

    brought = taken(known, data, outputs={"label": "label"}, **ONE)

    said = served(known, brought, tmp_path).answer({"wind": np.array([5.0, 20.0, 60.0])})
    assert said["label"].tolist() == [0, 1, 1]
    assert said["probability"] == pytest.approx([0.05, 0.2, 0.6], abs=1e-6)


def test_codes_need_the_names_of_the_labels(known: tuple[S3, DatasetIngested]) -> None:
    """A booster knows 0, 1 and 2; which word each one is only who made it knows."""
    buckets, _ = known
    rows = flights()
    bands = np.where(rows.wind > 20, "high", np.where(rows.wind > 10, "middle", "low"))
    columns = [*COLUMNS[:3], Column(name="band", type="string", nullable=False)]
    version = World(buckets).ingested(rows.assign(band=bands).drop(columns="late"), version=2, columns=columns)
    codes = pd.Series(bands).map({"low": 0, "middle": 1, "high": 2})
    told = {"objective": "multiclass", "num_class": 3, "verbosity": -1}
    booster = lightgbm.train(told, lightgbm.Dataset(rows[["wind"]], codes), num_boost_round=20)
    judged = {"task": "multiclass", "target": "band", "metrics": ["accuracy"], "data": data_of(version)}
    judged |= {"columns": [column.name for column in columns]}
    data = booster.model_to_string().encode()

    assert "knows the labels 0, 1, 2, and 'band' of dataset flights holds" in refused(known, data, **judged)

    brought = taken(known, data, labels=["low", "middle", "high"], **judged)
    assert brought.signature.outputs[0].labels == ["high", "low", "middle"]
    assert brought.metrics["accuracy"] > 0.95
    wrong = taken(known, data, labels=["high", "middle", "low"], **judged)
    assert wrong.metrics["accuracy"] < 0.7


def test_a_model_for_another_task_is_refused(known: tuple[S3, DatasetIngested]) -> None:
    """A regression gives no probabilities."""
    rows = flights()
    booster = made.booster(rows, objective="regression")
    reason = refused(known, booster.model_to_string().encode())
    assert reason == "the LightGBM model has the objective 'regression', and the declared task is binary"


# hostile graphs


def test_a_custom_operator_is_named(known: tuple[S3, DatasetIngested]) -> None:
    """Nothing here could run it, also where it hides in a branch."""
    magic = helper.make_node("Magic", ["X"], ["p"], domain="com.example")
    assert "operator com.example:Magic is custom" in refused(known, onnx_bytes(magic), **ONE)
    out = helper.make_tensor_value_info("q", TensorProto.FLOAT, ["rows", 1])
    hidden = helper.make_graph([helper.make_node("Magic", ["X"], ["q"], domain="com.example")], "b", [], [out])
    plain = helper.make_graph([helper.make_node("Identity", ["X"], ["q"])], "c", [], [out])
    constant = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    branch = helper.make_node("If", ["yes"], ["p"], then_branch=hidden, else_branch=plain)
    assert "operator com.example:Magic is custom" in refused(known, onnx_bytes(branch, initializer=[constant]), **ONE)


@pytest.mark.parametrize(
    ("opset", "why"), [(7, "opset 7, 9 is the oldest"), (99, "ONNX Runtime cannot load the graph")]
)
def test_an_opset_that_nothing_here_knows_is_refused(opset: int, why: str, known: tuple[S3, DatasetIngested]) -> None:
    """Too old and too new."""
    assert why in refused(known, onnx_bytes(SIGMOID, opset=opset), **ONE)


def external(location: str) -> bytes:
    """A graph with a weight that lies in a file."""
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1, 1], [0.5])
    weight.ClearField("float_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        weight.external_data.add(key=key, value=value)
    nodes = [helper.make_node("MatMul", ["X", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["p"])]
    return onnx_bytes(*nodes, initializer=[weight])


def test_weights_in_a_file_beside_the_graph_are_taken_into_it(
    known: tuple[S3, DatasetIngested], tmp_path: Path
) -> None:
    """What serves is one file."""
    files = {"model.onnx": external("weights.bin"), "weights.bin": np.float32(0.25).tobytes()}
    brought = taken(known, made.tar(files), **ONE)
    said = served(known, brought, tmp_path).answer({"wind": np.array([8.0])})
    assert said["probability"] == pytest.approx([1 / (1 + np.exp(-2.0))], abs=1e-6)


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("weights.bin", "lies in the file 'weights.bin', which was not sent"),
        ("../../../etc/passwd", "leads out of the artifact"),
        ("/etc/passwd", "leads out of the artifact"),
    ],
)
def test_weights_that_are_no_file_of_the_artifact_are_refused(
    location: str, why: str, known: tuple[S3, DatasetIngested]
) -> None:
    """A graph reads nothing of the machine that it is imported on."""
    assert why in refused(known, external(location), "model.onnx", **ONE)


# archives


def archive_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """An archive of these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, data in members:
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """One member of an archive."""
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    return found


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([(member("../out"), b"x")], "is no path inside"),
        ([(member("/etc/cron"), b"x")], "is no path inside"),
        ([(member("a/../../b"), b"x")], "is no path inside"),
        ([(member("model", tarfile.SYMTYPE, "/etc/passwd"), b"")], "links and special files are not taken"),
        ([(member("model", tarfile.LNKTYPE, "other"), b"")], "links and special files are not taken"),
        ([(member("model", tarfile.FIFOTYPE), b"")], "links and special files are not taken"),
        ([(member("model"), b"x"), (member("model"), b"y")], "twice"),
        ([(member("/".join(["folder"] * 40)), b"x")], "is longer than 200 characters"),
        (
            [(member("a"), b"x" * 600), (member("b"), b"x" * 600)],
            "it is larger than 1,000 bytes at b; send the files of the model alone",
        ),
        ([(member("folder", tarfile.DIRTYPE), b"")], "holds no file"),
    ],
)
def test_an_archive_with_ways_out_is_refused(members: Any, why: str, tmp_path: Path) -> None:
    """By its headers alone, before anything of it is written."""
    file = tmp_path / "source"
    file.write_bytes(archive_of(*members))
    with pytest.raises(BadArtifact, match=why):
        check(file, 1000)


def test_an_archive_without_its_end_was_cut(tmp_path: Path) -> None:
    """Between two members nothing else shows that more was to come."""
    file = tmp_path / "source"
    file.write_bytes(archive_of((member("MLmodel"), b"x"), (member("model.onnx"), b"y"))[:1024])
    with pytest.raises(BadArtifact, match="was cut"):
        check(file, 1000)


def test_an_artifact_larger_than_allowed_is_not_read_to_its_end(known: tuple[S3, DatasetIngested]) -> None:
    """The limit holds for what lies in the store, too."""
    assert "has more than 100 bytes" in refused(known, b"x" * 1000, largest=100)


# pickle


class _Harm:
    def __reduce__(self) -> Any:
        return print, ("harm",)


@pytest.mark.parametrize("name", ["model.pkl", "model.bin", "model.joblib"])
def test_pickle_is_refused_with_what_to_do_instead(
    name: str, known: tuple[S3, DatasetIngested], capsys: pytest.CaptureFixture[str]
) -> None:
    """By its bytes, whatever it is called; and nothing of it runs."""
    reason = refused(known, pickle.dumps(_Harm()), name)
    assert "pickle" in reason
    assert "skops.io.dump" in reason
    assert "harm" not in capsys.readouterr().out


def test_types_that_may_run_code_are_named(known: tuple[S3, DatasetIngested]) -> None:
    """Skops rebuilds nothing that is not known to be harmless."""
    data = skops.io.dumps({"model": pd.Timestamp})
    assert "types that are not allowed" in refused(known, data)


# MLflow


def test_an_mlflow_directory_of_each_flavor_is_read(known: tuple[S3, DatasetIngested]) -> None:
    """The flavor says which file it is, and how."""
    rows = flights()
    text = made.booster(rows).model_to_string().encode()
    flavors = {
        "lightgbm": ({"data": "model.lgb", "lgb_version": "4.6.0"}, {"model.lgb": text}),
        "sklearn": (
            {"pickled_model": "model.skops", "serialization_format": "skops", "sklearn_version": "1.8.0"},
            {"model.skops": made.skops_file(rows)},
        ),
    }
    for flavor, (told, files) in flavors.items():
        directory = made.mlflow({"python_function": {"loader_module": "mlflow"}, flavor: told}, files)
        brought = taken(known, made.tar({f"exported/{name}": data for name, data in directory.items()}))
        assert (brought.format, brought.framework) == ("mlflow", flavor)
        assert (brought.producer or "").endswith("MLflow 3.1.0")


def test_the_names_of_an_mlflow_signature_are_the_columns_of_a_matrix(known: tuple[S3, DatasetIngested]) -> None:
    """A graph of one matrix has no names; the directory has them."""
    signature = {"inputs": json.dumps([{"type": "double", "name": "wind", "required": True}])}
    directory = made.mlflow({"onnx": {"data": "model.onnx"}}, {"model.onnx": onnx_bytes(SIGMOID)}, signature=signature)
    assert [column.name for column in taken(known, made.tar(directory)).features] == ["wind"]


@pytest.mark.parametrize(
    ("flavors", "why"),
    [
        ({"python_function": {}}, "has the flavors python_function; those that can be imported are"),
        ({"python_function": {"python_model": "m"}}, "push the code with `headrace code push`"),
        ({"prophet": {}}, "those that can be imported are onnx, lightgbm, xgboost, sklearn"),
        ({"sklearn": {"pickled_model": "m", "serialization_format": "cloudpickle"}}, 'serialization_format="skops"'),
        ({"onnx": {"data": "../../etc/passwd"}}, "which the directory does not have"),
        ({"onnx": {}}, "which the directory does not have"),
        ({"onnx": 7}, "names no flavors"),
    ],
)
def test_an_mlflow_directory_that_cannot_be_read_is_told_why(
    flavors: Any, why: str, known: tuple[S3, DatasetIngested]
) -> None:
    """What is missing, unknown or leads out is named."""
    assert why in refused(known, made.tar(made.mlflow(flavors, {"m": b"x"})))


# honesty


def test_rows_that_it_says_it_has_learned_judge_nothing(known: tuple[S3, DatasetIngested]) -> None:
    """Of two months one is learned; the other one judges."""
    buckets, version = known
    data, _ = example("skops", flights())
    both = World(buckets).ingested(flights(), flights(seed=2), version=3)
    told = {"whole": True, "data": data_of(both), "learned": data_of(version)}
    told |= {"learned_columns": [column.name for column in COLUMNS]}

    brought = taken(known, data, **told)

    assert brought.learned is not None
    assert (brought.learned.rows, brought.holdout.rows, brought.holdout.fraction) == (600, 1200, 1.0)
    assert brought.compared_rows == 600
    assert not [each for each in brought.warnings if "nobody says" in each]
    with pytest.raises(Exception, match="none that it has not learned from"):
        taken(known, data, **{**told, "data": data_of(version)})


def test_a_claim_to_know_none_of_the_rows_is_kept_as_an_empty_set(known: tuple[S3, DatasetIngested]) -> None:
    """It makes a comparison possible; whose claim it was stands in the record."""
    brought = taken(known, example("skops", flights())[0], learned_none=True)
    assert brought.learned is not None
    assert brought.learned.rows == 0


def test_the_reference_has_rows_and_answers_for_drift(known: tuple[S3, DatasetIngested]) -> None:
    """Monitor watches an imported version as any other."""
    brought = taken(known, example("lightgbm", flights())[0])
    frame = pd.read_parquet(io.BytesIO(known[0].sync.get(brought.reference)))
    assert {"wind", "carrier", "late", "headrace:prediction"} <= set(frame.columns)
    assert frame["headrace:prediction"].notna().sum() == 150


def test_a_forest_fitted_on_float64_answers_the_same_on_ten_thousand_rows(
    known: tuple[S3, DatasetIngested], tmp_path: Path
) -> None:
    """Thresholds are rounded as the rows are, so that next to no row changes its side."""
    rows, fresh = flights(), flights(rows=10_000, seed=9)
    forest = RandomForestClassifier(50, random_state=1).fit(rows[["wind"]].to_numpy(), rows.late)
    brought = taken(known, bytes(skops.io.dumps(forest)), order=["wind"])
    said = served(known, brought, tmp_path).answer({"wind": fresh.wind.to_numpy()})["probability"]
    apart = np.abs(said - forest.predict_proba(fresh[["wind"]].to_numpy())[:, 1])
    assert (apart > 1e-6).sum() <= 1
    assert brought.differing_rows == 0


def test_progress_is_told(known: tuple[S3, DatasetIngested]) -> None:
    """Loading, converting, judging, uploading: as a run tells it."""
    steps: list[Step] = []
    buckets, version = known
    ref = buckets.sync.put("uploads", example("onnx", flights())[0])
    job = ImportJob.model_validate(
        {
            "import_id": "steps",
            "attempt": 1,
            "model": "delay",
            "source_name": "x.onnx",
            "largest": 10 << 20,
            "source": ObjectPlace(bucket=ref.bucket, key=ref.key),
            "data": data_of(version),
            "columns": [column.name for column in COLUMNS],
            "features": FEATURES,
            "target": "late",
            "task": "binary",
            "whole": True,
            "time": None,
            "by": "random",
            "fraction": 0.2,
            "metrics": ["brier"],
            "created": datetime(2026, 1, 1, tzinfo=UTC),
            "bucket": "models",
        }
    )
    bring(job, buckets.sync, steps.append)
    assert list(dict.fromkeys(step.stage for step in steps)) == ["loading", "exporting", "scoring", "uploading"]
