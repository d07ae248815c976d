"""Own code as a framework: what it may save, what it is told, what it cannot do, and how it fails."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
from onnx import TensorProto, helper
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from headrace.code.confine import landlock
from headrace.contracts import Column
from headrace.frameworks import FRAMEWORKS, About, CodeFailed, CodeLimits, Fitted, OwnCode, Recipe, Resumed, Said
from headrace.frameworks.code.watching import Events
from headrace.runtimes import load
from headrace.tasks import task_named

ABOUT = About(run="run-1", created=datetime(2026, 1, 5, tzinfo=UTC))
FEATURES = [Column(name="wind", type="number", nullable=True), Column(name="hour", type="integer", nullable=False)]
WORD = Column(name="carrier", type="string", nullable=False)
LIMITS = CodeLimits(memory=1 << 30, disk=64 << 20, seconds=60, processes=64)
GOOD = """
def train(context):
    context.save("good.onnx")
"""
LEARNED = """
from sklearn.linear_model import LogisticRegression

def train(context):
    rows = context.frame
    context.save(LogisticRegression().fit(rows[context.features], rows[context.target]))
"""


@dataclass
class Heard:
    """What a run of own code has told."""

    said: list[Said] = field(default_factory=list)
    log: list[bytes] = field(default_factory=list)
    checkpoints: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    metrics: list[dict[str, float]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The log."""
        return b"".join(self.log).decode()

    def keep(self, folder: Path, said: Said) -> None:
        """Take a checkpoint."""
        files = {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()}
        self.checkpoints.append((said.step, files))
        self.metrics.append(dict(said.metrics))
        shutil.rmtree(folder.parent)


Train = Callable[..., Path]


@pytest.fixture
def heard() -> Heard:
    """What the run tells."""
    return Heard()


@pytest.fixture
def train(tmp_path: Path, heard: Heard) -> Iterator[Train]:
    """Run a package of one Python file, and write the model directory."""
    # where another user gets to, as a worker's folder is: access(2) of R does not heed the right to read all
    held = tempfile.TemporaryDirectory()
    scratch = Path(held.name)
    scratch.chmod(0o711)

    def fit(
        source: str = "",
        *,
        limits: CodeLimits = LIMITS,
        files: dict[str, str] | None = None,
        rows: Any = None,
        **how: Any,
    ) -> Path:
        package, model = tmp_path / "package", tmp_path / "model"
        for folder in (package, model):
            folder.mkdir()
        for name, text in {"train.py": source, **(files or {})}.items():
            (package / name).write_text(text)
        (package / "good.onnx").write_bytes(LATE.SerializeToString())
        told: dict[str, Any] = {"entry": None if "command" in how else "train:train"}
        told |= {
            name: how.pop(name) for name in ("command", "python", "resume", "entry", "attempt", "asked") if name in how
        }
        told |= {"hear": heard.said.append, "log": heard.log.append, "checkpoint": heard.keep}
        code = OwnCode("run-1", package, scratch, limits, warn=heard.warnings.append, **told)
        asked = {"features": FEATURES, "target": "late", "task": "binary", "params": {}, "seed": 7} | how
        recipe = Recipe(estimator="net@1 train:train", code=code, **asked)
        frame = flights() if rows is None else rows
        fitted = FRAMEWORKS["code"].fit(frame, recipe, lambda step, of: None)
        FRAMEWORKS["code"].save(fitted, model, ABOUT)
        return model

    with held:
        yield fit


def graph(nodes: Any, inputs: Any, outputs: Any, constants: dict[str, Any]) -> onnx.ModelProto:
    """A graph of some nodes."""
    held = [
        helper.make_tensor(name, TensorProto.FLOAT, np.shape(value), np.ravel(value).tolist())
        for name, value in constants.items()
    ]
    made = helper.make_graph(nodes, "g", inputs, outputs, held)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def node(kind: str, *names: str, **attributes: Any) -> onnx.NodeProto:
    """A node from all names but the last to the last."""
    return helper.make_node(kind, list(names[:-1]), [names[-1]], **attributes)


def value(name: str, *shape: int | None, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """A tensor of a graph."""
    return helper.make_tensor_value_info(name, kind, shape)


LATE = graph(
    [node("Gemm", "m", "w", "z"), node("Sigmoid", "z", "p")],
    [value("m", None, 2)],
    [value("p", None, 1)],
    {"w": [[3.0], [0.0]]},
)


def directory(tmp_path: Path, saved: Any, rows: Any = None, **how: Any) -> Path:
    """The model directory of what a program would have saved."""
    left, model = tmp_path / "left", tmp_path / "model"
    left.mkdir()
    model.mkdir()
    if isinstance(saved, onnx.ModelProto):
        (left / "model.onnx").write_bytes(saved.SerializeToString())
    else:
        skops.io.dump(saved, left / "model.skops")
    frame = flights() if rows is None else rows
    asked = {"features": FEATURES, "target": "late", "task": "binary", "params": {}, "seed": 7} | how
    recipe = Recipe(estimator="net@1 train:train", **asked)
    target = task_named(recipe.task).learn(frame["late"].to_numpy(), "late", recipe.positive)
    fitted = Fitted(recipe, left, target, frame[recipe.names], (), ())
    FRAMEWORKS["code"].save(fitted, model, ABOUT)
    return model


def flights(rows: int = 300, late: tuple[Any, Any] = (0, 1)) -> pd.DataFrame:
    """Late where the wind is strong."""
    rng = np.random.default_rng(1)
    wind, hour = rng.normal(size=rows).round(3), rng.integers(0, 24, rows)
    truth = wind + rng.normal(0, 0.3, rows) > 0
    carrier = rng.choice(["AA", "UA"], rows)
    target = pd.Series(np.where(truth, 1, 0)).map({0: late[0], 1: late[1]})
    return pd.DataFrame({"wind": wind, "hour": hour, "carrier": carrier, "late": target})


def failure(train: Train, source: str = "", **how: Any) -> CodeFailed:
    """How a run fails."""
    with pytest.raises(CodeFailed) as raised:
        train(source, **how)
    return raised.value


ASKED = {"wind": [2.0, -2.0], "hour": [3, 4]}


def test_a_python_entry_trains_what_it_likes(train: Train) -> None:
    """Rows as a frame in, an estimator out; what answers is a graph."""
    model = load(train(LEARNED))

    assert model.platform == "onnx_onnxruntime"
    assert model.answer(ASKED)["label"].tolist() == [1, 0]


@pytest.mark.parametrize("labels", [(0, 1), ("in time", "late"), (False, True), (2, 1)])
def test_an_estimator_that_learned_the_target_as_it_is_becomes_a_graph(tmp_path: Path, labels: Any) -> None:
    """Text, truth values and numbers, also with the greater label as the other one."""
    rows = flights(late=labels)
    fitted = LogisticRegression().fit(rows[["wind", "hour"]], rows["late"])

    answer = load(directory(tmp_path, fitted, rows, positive=labels[1])).answer(ASKED)

    assert answer["label"].tolist() == [labels[1], labels[0]]
    assert answer["probability"][0] > 0.9 > 0.1 > answer["probability"][1]


def test_an_estimator_of_numbers_keeps_the_fast_way_of_the_server_open(tmp_path: Path) -> None:
    """One matrix in, with or without names of columns."""
    rows = flights()
    fitted = RandomForestClassifier(5, random_state=0).fit(rows[["wind", "hour"]].to_numpy(), rows["late"])

    model = load(directory(tmp_path, fitted, rows))

    assert model.matrix == np.float32
    assert model.answer(ASKED)["label"].tolist() == [1, 0]


def test_a_pipeline_by_the_names_of_columns_takes_text_too(tmp_path: Path) -> None:
    """Whatever order its columns have inside."""
    steps = [("words", OneHotEncoder(), ["carrier"]), ("numbers", StandardScaler(), ["wind", "hour"])]
    rows = flights()
    fitted = make_pipeline(ColumnTransformer(steps), LogisticRegression()).fit(
        rows[["wind", "hour", "carrier"]], rows["late"]
    )

    model = load(directory(tmp_path, fitted, rows, features=[*FEATURES, WORD]))

    assert model.answer({**ASKED, "carrier": ["UA", "AA"]})["label"].tolist() == [1, 0]


def test_a_number_is_predicted_too(tmp_path: Path) -> None:
    """A regressor, by the task of the declaration."""
    rows = flights().assign(late=lambda each: 3 * each["wind"] + 1)
    fitted = LinearRegression().fit(rows[["wind", "hour"]], rows["late"])

    model = load(directory(tmp_path, fitted, rows, task="regression"))

    assert model.answer(ASKED)["prediction"] == pytest.approx([7, -5], abs=1e-3)


HALF = [node("Add", "wind", "wind", "z"), node("Sigmoid", "z", "p1"), node("Sub", "one", "p1", "p0")]
USUAL = {
    "one matrix, called as one of our own inputs": graph(
        [node("Gemm", "numbers", "w", "z"), node("Sigmoid", "z", "p")],
        [value("numbers", None, 2)], [value("p", None, 1)], {"w": [[3.0], [0.0]]},
    ),
    "a tensor a feature, both probabilities beside something else": graph(
        [*HALF, node("Concat", "p0", "p1", "probabilities", axis=1), node("Identity", "hour", "hidden")],
        [value("hour", None), value("wind", None, 1)], [value("probabilities", None, 2), value("hidden", None)],
        {"one": 1.0},
    ),
    "a flat answer": graph([node("Sigmoid", "wind", "p"), node("Neg", "hour", "q")],
                           [value("wind", None), value("hour", None)], [value("p", None)], {}),
    "whole numbers, cast inside": graph([node("Cast", "hour", "h", to=TensorProto.FLOAT), node("Sigmoid", "wind", "p")],
                                        [value("wind", None, kind=TensorProto.DOUBLE),
                                         value("hour", None, kind=TensorProto.INT64)],
                                        [value("p", None, kind=TensorProto.DOUBLE)], {}),
}  # fmt: skip


@pytest.mark.parametrize("shape", USUAL)
def test_a_graph_of_any_usual_shape_becomes_one_of_its_task(tmp_path: Path, shape: str) -> None:
    """What torch.onnx.export and other converters write, without a word about our tensors."""
    model = load(directory(tmp_path, USUAL[shape]))

    answer = model.answer(ASKED)

    assert answer["label"].tolist() == [1, 0]
    assert answer["probability"][0] == pytest.approx(1 - answer["probability"][1], abs=1e-6)


def test_code_sees_what_it_needs_and_says_how_it_goes(train: Train, heard: Heard) -> None:
    """Rows as a frame, a table, a file and batches; parameters, seed and columns; metrics and progress as they come."""
    source = (
        GOOD
        + """
    rows = context.frame
    assert context.rows == len(rows) == context.table.num_rows == sum(b.num_rows for b in context.batches(100))
    assert max(b.num_rows for b in context.batches(100)) == 100 and context.parquet.exists()
    assert (context.params["depth"], context.seed, context.task, context.run) == (3, 7, "binary", "run-1")
    assert (context.features, context.target, context.labels) == (["wind", "hour"], "late", [0, 1])
    assert context.context == ["carrier"] and context.resumed is None
    for step in range(1, 4):
        context.progress(step, 3, f"epoch {step}")
        context.log_metric("loss", 1 / step, step)
    print("all is well")
"""
    )

    train(source, params={"depth": 3}, context=[WORD])

    assert [(said.step, said.of, said.message) for said in heard.said if said.message] == [
        (1, 3, "epoch 1"), (2, 3, "epoch 2"), (3, 3, "epoch 3"),
    ]  # fmt: skip
    assert [said.metrics["loss"] for said in heard.said if said.metrics] == pytest.approx([1, 1 / 2, 1 / 3])
    assert heard.text.endswith("all is well\n")


def test_checkpoints_are_taken_as_they_are_made_and_given_back(train: Train, heard: Heard, tmp_path: Path) -> None:
    """A file, a folder or bytes, with metrics; a later attempt finds the last one of the attempt that was lost."""
    (tmp_path / "last" / "deep").mkdir(parents=True)
    (tmp_path / "last" / "deep" / "weights.txt").write_text("7")
    (tmp_path / "last" / "deep" / "weights.txt").chmod(0o600)  # as it comes from the store
    source = (
        GOOD
        + """
    import os, pathlib
    before = int((context.resumed / "deep" / "weights.txt").read_text())
    place = pathlib.Path(os.environ["TMPDIR"])
    (place / "weights.txt").write_text(str(before + 1))
    assert (context.attempt, context.resumed_step) == (2, 7)
    assert context.checkpoint(place / "weights.txt", 8, loss=0.5) is True
    (place / "folder" / "deep").mkdir(parents=True)
    (place / "folder" / "deep" / "a.txt").write_text("a")
    context.checkpoint(place / "folder", 9)
    context.checkpoint(b"bytes", 10)
"""
    )

    train(source, attempt=2, resume=Resumed(tmp_path / "last", 7))

    assert heard.checkpoints == [
        (8, {"weights.txt": "8"}),
        (9, {"deep/a.txt": "a"}),
        (10, {"checkpoint.bin": "bytes"}),
    ]
    assert heard.metrics == [{"loss": 0.5}, {}, {}]


def test_the_first_attempt_goes_on_from_nothing(train: Train, heard: Heard) -> None:
    """There is neither a folder nor a step, and that is no error; a step that comes again is a newer checkpoint."""
    source = (
        GOOD
        + """
    assert (context.attempt, context.resumed, context.resumed_step) == (1, None, None)
    for words in (b"one", b"two"):
        context.checkpoint(words, 3)
"""
    )

    train(source)

    assert heard.checkpoints == [(3, {"checkpoint.bin": "one"}), (3, {"checkpoint.bin": "two"})]


def test_checkpoints_that_were_taken_do_not_fill_the_disk(train: Train, heard: Heard) -> None:
    """Five of 20 MiB in a run that may keep 64: each is removed where it was published; what lies elsewhere stays."""
    source = (
        GOOD
        + """
    import os, pathlib, time
    published = pathlib.Path(os.environ["HEADRACE_CHECKPOINTS"])
    for step in range(1, 6):
        context.checkpoint(b"x" * (20 << 20), step)
        while any(published.iterdir()):
            time.sleep(0.01)
    (published.parent / "mine").write_text("mine")
    context._say("checkpoint", {"path": "mine", "step": 6})
    context._say("checkpoint", {"path": str(published.parent / "mine"), "step": 7})
"""
    )

    train(source)

    assert [step for step, _ in heard.checkpoints] == [1, 2, 3, 4, 5, 6, 7]
    assert heard.warnings == []


def test_a_program_sees_that_a_checkpoint_is_asked_for_and_that_it_is_no_longer(train: Train, heard: Heard) -> None:
    """Whenever it looks; who asks is told by the checkpoint."""
    source = (
        GOOD
        + """
    import time
    for step, asked in enumerate([False, True, False]):
        while context.checkpoint_asked is not asked:
            time.sleep(0.01)
        context.checkpoint(b"x", step)
"""
    )

    train(source, asked=lambda: len(heard.checkpoints) == 1)

    assert [step for step, _ in heard.checkpoints] == [0, 1, 2]
    assert heard.warnings == []


def test_training_goes_on_where_the_disk_has_no_room_for_a_checkpoint(train: Train, heard: Heard) -> None:
    """The call says so, and the log; nothing is left of what was begun. Any other error is the code's own."""
    source = (
        GOOD
        + """
    import os, pathlib
    place = pathlib.Path(os.environ["TMPDIR"]) / "folder"
    place.mkdir()
    assert context.checkpoint(b"x" * (65 << 20), 1) is False
    assert list(pathlib.Path(os.environ["HEADRACE_CHECKPOINTS"]).iterdir()) == []
    assert context.checkpoint(b"small", 2) is True
    try:
        context.checkpoint(place / "nowhere", 3)
    except FileNotFoundError:
        context.checkpoint(b"well", 4)
"""
    )

    train(source)

    assert [step for step, _ in heard.checkpoints] == [2, 4]
    assert "[the checkpoint of step 1 is not made: there is no room on the disk]" in heard.text


def test_training_goes_on_where_the_workers_own_disk_is_full(train: Train, heard: Heard) -> None:
    """What cannot be copied is told to the author; the limit of the process stands for the disk."""
    source = GOOD + "\n    context.checkpoint(b'x' * (4 << 20), 1)\n    context.checkpoint(b'small', 2)\n"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, hard))
    try:
        train(source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert [step for step, _ in heard.checkpoints] == [2]
    assert len(heard.warnings) == 1
    assert "the checkpoint of step 1 is not kept" in heard.warnings[0]


PUBLISH = r"""
for step in 1 2; do
  mkdir "$HEADRACE_CHECKPOINTS/.draft"
  echo "weights $step of $(cat "$HEADRACE_RESUME/weights.txt")" > "$HEADRACE_CHECKPOINTS/.draft/weights.txt"
  mv "$HEADRACE_CHECKPOINTS/.draft" "$HEADRACE_CHECKPOINTS/$step"
  printf '{"checkpoint": {"path": "checkpoints/%s", "step": %s, "metrics": {"loss": 0.%s}}}\n' $step $step $step \
    >> "$HEADRACE_EVENTS"
done
while [ -n "$(ls "$HEADRACE_CHECKPOINTS")" ]; do sleep 0.01; done
grep -o '"resumed": {[^}]*}' "$HEADRACE_JOB"
mkdir "$HEADRACE_MODEL" && cp good.onnx "$HEADRACE_MODEL/model.onnx"
"""


def test_a_command_makes_checkpoints_and_goes_on_by_files_alone(train: Train, heard: Heard, tmp_path: Path) -> None:
    """Written under another name, renamed into the folder for them, and told of by a line of JSON."""
    (tmp_path / "last").mkdir()
    (tmp_path / "last" / "weights.txt").write_text("before")

    train(files={"run.sh": PUBLISH}, command=("sh", "run.sh"), resume=Resumed(tmp_path / "last", 4))

    assert heard.checkpoints == [
        (1, {"weights.txt": "weights 1 of before\n"}),
        (2, {"weights.txt": "weights 2 of before\n"}),
    ]
    assert heard.metrics == [{"loss": 0.1}, {"loss": 0.2}]
    assert '"resumed": {"step": 4, "metrics": {' in heard.text


def test_nothing_outside_its_folder_is_removed_through_a_link(train: Train, heard: Heard, tmp_path: Path) -> None:
    """A program that puts a link in the place of the folder of checkpoints has nothing removed elsewhere."""
    (tmp_path / "dear").mkdir()
    (tmp_path / "dear" / "1").mkdir()
    source = (
        GOOD
        + f"""
    import os, pathlib
    published = pathlib.Path(os.environ["HEADRACE_CHECKPOINTS"])
    published.rmdir()
    published.symlink_to({str(tmp_path / "dear")!r})
    for path in ("checkpoints/1", "checkpoints/..", "checkpoints"):
        context._say("checkpoint", {{"path": path, "step": 1}})
"""
    )

    train(source)

    assert (tmp_path / "dear" / "1").is_dir()
    assert (heard.checkpoints, len(heard.warnings)) == ([], 3)


@pytest.mark.parametrize("metrics", [{"loss": "low"}, {"loss": float("inf")}, [1], {f"m{n}": 1 for n in range(300)}])
def test_a_checkpoint_whose_metrics_are_none_is_passed_over_as_any_odd_line(tmp_path: Path, metrics: Any) -> None:
    """Nobody knows what its writer meant; one without any metrics is well."""
    lines = [{"checkpoint": {"path": "a", "step": 1, "metrics": each}} for each in (metrics, {"loss": 0.5}, None)]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    events = Events(tmp_path / "events.jsonl", print)

    assert [dict(said.metrics) for said in events.read()] == [{"loss": 0.5}, {}]
    assert events.odd == 1


def test_a_checkpoint_that_is_a_link_is_not_followed(train: Train, heard: Heard) -> None:
    """Its author is told, and the run goes on."""
    source = (
        GOOD
        + """
    import os, pathlib
    out = pathlib.Path(os.environ["HEADRACE_OUT"])
    (out / "odd").mkdir()
    (out / "odd" / "x").symlink_to("/etc/passwd")
    for path in ("odd", "../job.json", "/etc/passwd", "nowhere"):
        context._say("checkpoint", {"path": path, "step": 1})
"""
    )

    train(source)

    assert heard.checkpoints == []
    assert ["is not kept" in each for each in heard.warnings] == [True] * 4


# what fails, each with its kind and a reason for its author


@pytest.mark.parametrize(
    ("source", "kind", "reason"),
    [
        ("import nothing_of_that_name\n", "code", "it cannot be imported: ModuleNotFoundError.*nothing_of_that_name"),
        ("def other(context): ...\n", "code", "module 'train' has no function 'train'"),
        ("def train(context):\n  return 1 / 0\n", "code", r"ZeroDivisionError: .* \(train.py:2 in train\)"),
        ("def train(context): raise SystemExit(0)\n", "code", "SystemExit: 0"),
        ("def train(context): ...\n", "code", "ended without a model; call context.save"),
        ("import os\ndef train(context): os._exit(3)\n", "code", "ended with exit code 3"),
        ("import os\ndef train(context): os.kill(os.getpid(), 11)\n", "code", "killed by SIGSEGV"),
        ("def train(context): context.save(object())\n", "code", "TypeError: a object cannot be saved"),
        ("def train(context): context.save(b'nonsense')\n", "answer", "is no ONNX"),
        ("def train(context):\n  x = bytearray(4 << 30)\n", "memory", "MemoryError"),
        (
            "import os, time\ndef train(context):\n  held = []\n  for _ in range(4):\n    if os.fork() == 0:\n"
            "      held.append(b'x' * (500 << 20)); time.sleep(60); os._exit(0)\n  time.sleep(60)\n",
            "memory", "it and what it started took more than the 1024 MiB",
        ),
        (
            "import os\ndef train(context):\n  with open(os.environ['TMPDIR'] + '/big', 'wb') as f:\n"
            "    for _ in range(1000): f.write(b'x' * (1 << 20))\n",
            "disk", "wrote more than",
        ),
        (
            "import os, time\ndef train(context):\n  for n in range(1000):\n"
            "    with open(f\"{os.environ['TMPDIR']}/{n}\", 'wb') as f: f.write(b'x' * (1 << 20))\n  time.sleep(60)\n",
            "disk", "wrote more than the 64 MiB",
        ),
    ],
)  # fmt: skip
def test_what_fails_says_how_and_why(train: Train, source: str, kind: str, reason: str) -> None:
    """Import, entry, error, exit, signal, nothing saved, memory alone and together, one large file and many."""
    found = failure(train, source)

    assert found.kind == kind
    assert re.search(reason, str(found)), str(found)


def test_what_hangs_is_ended_with_all_that_it_started(train: Train, tmp_path: Path) -> None:
    """Also a child in a session of its own, which no signal to a group would reach."""
    mark = f"headrace-{os.getpid()}"
    source = f"""
import subprocess, sys, time
def train(context):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "{mark}"], start_new_session=True)
    time.sleep(600)
"""
    began = time.monotonic()

    found = failure(train, source, limits=replace(LIMITS, seconds=2.5))

    assert (found.kind, "still ran after 2 s" in str(found)) == ("timeout", True)
    assert time.monotonic() - began < 20
    assert not running(mark)


def running(mark: str) -> list[int]:
    """The processes whose command has a mark."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                if mark.encode() in (each / "cmdline").read_bytes():
                    found.append(int(each.name))
            except OSError:
                continue
    return found


def test_a_fork_bomb_stops_at_its_limit(train: Train) -> None:
    """It gets an error of its own; nothing is left of it."""
    mark = f"headrace-bomb-{os.getpid()}"
    source = f"""
import subprocess, sys
def train(context):
    while True:
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)", "{mark}"])
"""
    found = failure(train, source, limits=replace(LIMITS, processes=20, memory=4 << 30))

    assert found.kind == "code"
    assert "BlockingIOError" in str(found)
    assert not running(mark)


def test_a_gigabyte_of_output_keeps_its_head_and_its_end(train: Train, heard: Heard) -> None:
    """And says how much was cut; the run does not suffer."""
    block = "    for _ in range(16): os.write(1, b'x' * (64 << 20))\n"

    train(f"import os{GOOD}    print('first')\n{block}    print('last')\n")

    text = heard.text
    assert text.startswith("first\n")
    assert text.endswith("last\n")
    assert len(text) < 1 << 20
    assert "... 1,07" in text
    assert "bytes were cut here" in text


def test_nonsense_among_the_events_is_passed_over(train: Train, heard: Heard) -> None:
    """Neither lines that are no JSON, nor numbers that are none, nor endless ones end a run."""
    odd = [
        '{"metric": {"name": "a", "value": NaN}}',
        "no json",
        '{"progress": {}}',
        "[" * 100_000,
        '{"metric": 1}',
        "{}",
    ]
    odd += ['{"progress": {"step": -1, "of": 1e400}}', '{"unknown": {}}', "x" * 200_000]
    lines = "".join(f"{each}\n" for each in odd)
    source = f"""{GOOD}
    import os
    with open(os.environ["HEADRACE_EVENTS"], "a") as file: file.write({lines!r})
    context.log_metric("loss", 1.0, 2)
"""

    train(source)

    assert [(said.step, dict(said.metrics)) for said in heard.said] == [(2, {"loss": 1.0})]


# answers

M, P2 = [value("m", None, 2)], [value("p", None, 2)]
NONSENSE = {
    "NaN": (graph([node("Sqrt", "m", "p")], M, P2, {}), "NaN, infinite or no probabilities|is NaN or infinite"),
    "no probabilities": (graph([node("Add", "m", "m", "p")], M, P2, {}), "NaN, infinite or no probabilities"),
    "columns": (graph([node("Concat", "m", "m", "p", axis=1)], M, [value("p", None, 4)], {}), "4 columns; 2 are"),
    "dimensions": (graph([node("Identity", "m", "p")], [value("m", 1, 1, 2)], [value("p", 1, 1, 2)], {}), "3 dim"),
    "rows": (graph([node("ReduceMean", "m", "p", axes=[0], keepdims=1)], M, P2, {}), "has shape|does not answer"),
    "matrix": (graph([node("Identity", "m", "p")], [value("m", None, 3)], [value("p", None, 3)], {}), "has 3 columns"),
    "inputs": (
        graph([node("Identity", "speed", "p")], [value("speed", None), value("hour", None)], [value("p", None)], {}),
        "it must take one tensor a feature",
    ),
    "operator": (graph([node("No", "m", "p", domain="mine")], M, P2, {}), "no model that can serve"),
    "text": (graph([node("Identity", "m", "p")], [value("m", None, 2, kind=TensorProto.STRING)], P2, {}), "another"),
    "whole numbers": (graph([node("Cast", "m", "p", to=TensorProto.INT64)], M,
                            [value("p", None, 2, kind=TensorProto.INT64)], {}), "no floating-point numbers"),
    "labels": (
        graph(
            [node("Cast", "hour", "label", to=TensorProto.INT64), node("Sigmoid", "wind", "s"),
             node("Cast", "s", "probability", to=TensorProto.DOUBLE)],
            [value("wind", None), value("hour", None)],
            [value("label", None, kind=TensorProto.INT64), value("probability", None, kind=TensorProto.DOUBLE)], {},
        ),
        "labels that nobody knows",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", NONSENSE)
def test_a_graph_that_answers_nonsense_is_refused_before_it_is_a_version(tmp_path: Path, what: str) -> None:
    """NaN, no probabilities, unknown labels; the wrong number of columns, dimensions and rows; foreign inputs."""
    made, reason = NONSENSE[what]

    with pytest.raises(CodeFailed) as raised:
        directory(tmp_path, made)

    assert raised.value.kind == "answer"
    assert re.search(reason, str(raised.value)), str(raised.value)


def test_weights_outside_of_the_graph_are_refused(tmp_path: Path) -> None:
    """A graph is one file; what lies beside it would be somebody else's."""
    made = onnx.ModelProto()
    made.CopyFrom(LATE)
    made.graph.initializer[0].data_location = TensorProto.EXTERNAL

    with pytest.raises(CodeFailed, match="keeps w outside of itself"):
        directory(tmp_path, made)


def test_an_estimator_that_learned_something_else_is_refused(tmp_path: Path) -> None:
    """Other labels, or columns that no request will bring; one that gives no probabilities."""
    rows = flights()
    other = LogisticRegression().fit(rows[["wind", "hour"]], rows["late"] + 5)
    more = LogisticRegression().fit(rows[["wind", "hour", "late"]], rows["late"])
    for number, (fitted, reason) in enumerate(
        [(other, "the labels of the target"), (more, "requests will bring wind, hour"), (RidgeClassifier(), "no prob")]
    ):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(CodeFailed, match=reason):
            directory(tmp_path / str(number), fitted)


class Mine(ClassifierMixin, BaseEstimator):
    """An estimator of a package's own, which would run the package's code wherever it is loaded."""


def test_a_type_outside_the_allow_list_is_refused(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(CodeFailed, match=r"not allowed: .*Mine"):
        directory(tmp_path, Mine())


def test_pickle_is_refused_wherever_it_lies(train: Train) -> None:
    """In a folder of the process runtime, too."""
    source = """
import json, os, pathlib, pickle
def train(context):
    folder = pathlib.Path(os.environ["TMPDIR"]) / "m"
    folder.mkdir()
    (folder / "process.json").write_text(json.dumps({"python": {"module": "serve"}}))
    (folder / "serve.py").write_text("def predict(columns): return {}")
    (folder / "weights").write_bytes(pickle.dumps({"a": object}))
    context.save(folder)
"""
    found = failure(train, source)

    assert (found.kind, "pickle" in str(found)) == ("answer", True)


def test_a_folder_answers_by_a_process_of_its_own(train: Train) -> None:
    """Whatever it is written in; here Python that needs nothing."""
    source = """
import json, os, pathlib
def train(context):
    folder = pathlib.Path(os.environ["TMPDIR"]) / "m"
    folder.mkdir()
    (folder / "process.json").write_text(json.dumps({"python": {"module": "serve"}, "memory_mb": 512}))
    (folder / "serve.py").write_text(
        "def predict(columns):\\n"
        "  p = [min(1.0, max(0.0, 0.5 + (w or 0) / 10)) for w in columns['wind']]\\n"
        "  return {'label': [int(each > 0.5) for each in p], 'probability': p}\\n")
    context.save(folder)
"""
    model = load(train(source))

    answer = model.answer(ASKED)
    model.close()

    assert model.platform == "headrace_process"
    assert answer["label"].tolist() == [1, 0]
    assert answer["probability"].tolist() == pytest.approx([0.7, 0.3])


# what it cannot reach

REACH = (
    GOOD
    + """
    import os, pathlib, socket
    def tried(what):
        try:
            return str(what())
        except OSError as error:
            return type(error).__name__
    print("TRIED", {name: tried(what) for name, what in {
        "outside": lambda: pathlib.Path(OUTSIDE, "x").write_text("x"),
        "secret": lambda: pathlib.Path(OUTSIDE, "secret").read_text(),
        "job": lambda: pathlib.Path(os.environ["HEADRACE_JOB"]).write_text("{}"),
        "parent": lambda: pathlib.Path(f"/proc/{PARENT}/environ").read_bytes()[:1],
        "signal": lambda: os.kill(PARENT, 0),
        "network": lambda: socket.create_connection(("127.0.0.1", PORT), 2),
    }.items()})
    print("KEYS", [name for name in os.environ if "KEY" in name or "SECRET" in name])
    print("FILES", sorted(each.name for each in pathlib.Path(os.environ["HEADRACE_DATA"]).iterdir()))
"""
)


@pytest.mark.skipif(not landlock(), reason="the kernel has no Landlock")
def test_code_cannot_leave_its_folder_nor_see_our_keys(
    train: Train, heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As whatever user: other folders are neither read nor written, the worker's memory and environment not seen."""
    import socket

    outside = tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    (outside / "secret").write_text("key")
    monkeypatch.setenv("HEADRACE_S3_SECRET_KEY", "key")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told = f"OUTSIDE, PARENT, PORT = {str(outside)!r}, {os.getpid()}, {port}\n"
        train(told + REACH, limits=replace(LIMITS, network=False))

    tried = heard.text
    assert not (outside / "x").exists()
    assert "'outside': 'PermissionError'" in tried
    assert "'secret': 'PermissionError'" in tried
    assert "'job': 'PermissionError'" in tried
    assert "'parent': 'PermissionError'" in tried or "'parent': 'FileNotFoundError'" in tried
    assert "'signal': 'PermissionError'" in tried or "'signal': 'ProcessLookupError'" in tried
    assert (
        "'network': 'PermissionError'" in tried
        or "'network': 'ConnectionRefusedError'" in tried
        or "'network': 'OSError'" in tried
    )
    assert "KEYS []" in tried
    assert "FILES ['train.parquet']" in tried


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_where_the_worker_is_root_code_runs_as_nobody(train: Train, heard: Heard) -> None:
    """A user without rights, in no group, another one in every run."""
    train(GOOD + "\n    import os\n    print('WHO', os.getuid() >= 61184, os.getgroups())\n")

    assert "WHO True []" in heard.text


# commands


def test_a_command_gets_files_and_variables(train: Train, heard: Heard) -> None:
    """Any language: rows as CSV and Parquet, the job as JSON; progress as lines of JSON, the model as files."""
    script = """#!/bin/sh
set -e
head -1 "$HEADRACE_DATA/train.csv"
test -s "$HEADRACE_DATA/train.parquet"
grep -q '"target": "late"' "$HEADRACE_JOB"
echo '{"metric": {"name": "rows", "value": 300, "step": 1}}' >> "$HEADRACE_EVENTS"
mkdir "$HEADRACE_MODEL"
cp process.json serve.py "$HEADRACE_MODEL/"
"""
    serve = (
        "def predict(columns):\n  n = len(columns['wind'])\n  return {'label': [1] * n, 'probability': [0.75] * n}\n"
    )
    files = {"run.sh": script, "serve.py": serve, "process.json": json.dumps({"python": {"module": "serve"}})}

    model = load(train(files=files, command=("sh", "run.sh")))
    answer = model.answer(ASKED)
    model.close()

    assert heard.text.startswith("wind,hour,carrier,late\n")
    assert [dict(said.metrics) for said in heard.said] == [{"rows": 300.0}]
    assert answer["probability"].tolist() == [0.75, 0.75]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("nothing-of-that-name",), "cannot be started: No such file"),
        (("sh", "-c", "echo oh no >&2; exit 4"), "exit code 4: oh no"),
    ],
)
def test_a_command_that_fails_tells_its_last_line(train: Train, command: tuple[str, ...], reason: str) -> None:
    """And its exit code."""
    found = failure(train, command=command)

    assert (found.kind, reason in str(found)) == ("code", True), str(found)


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R here: `make r` installs it")
def test_r_trains_and_answers(train: Train, heard: Heard) -> None:
    """Rows by CSV, progress by lines of JSON, and a program of its own that serves: as glm answers in Python."""
    here = Path(__file__).parent
    places = [*(here / "own_code_r").iterdir(), here.parent / "runtimes" / "protocol.R"]
    files = {each.name: each.read_text() for each in places}
    rows = flights()

    model = load(train(files=files, command=("Rscript", "train.R"), rows=rows))
    answer = model.answer({name: rows[name].tolist() for name in ("wind", "hour")})
    model.close()

    own = LogisticRegression(C=1e9, max_iter=10_000).fit(rows[["wind", "hour"]], rows["late"])
    assert answer["probability"] == pytest.approx(own.predict_proba(rows[["wind", "hour"]])[:, 1], abs=2e-3)
    assert [said.message for said in heard.said if said.message] == ["300 rows"]
    assert [*heard.said[-1].metrics] == ["deviance"]
    assert "(Intercept)" in heard.text


def test_a_program_ends_with_its_worker(tmp_path: Path) -> None:
    """A worker that is killed leaves nothing behind, in whatever session it is."""
    mark = f"headrace-orphan-{os.getpid()}"
    package = tmp_path / "package"
    package.mkdir()
    (package / "train.py").write_text(
        f"import subprocess, sys, time\ndef train(context):\n  subprocess.Popen([sys.executable, '-c', "
        f"'import time; time.sleep(600)', '{mark}'], start_new_session=True)\n  time.sleep(600)\n"
    )
    (tmp_path / "scratch").mkdir()
    program = f"""
import pathlib
from headrace.frameworks.code.running import Folder, run
from headrace.frameworks.own import CodeLimits, OwnCode
root, LIMITS = pathlib.Path({str(tmp_path)!r}), CodeLimits(1 << 30, 1 << 26)
code = OwnCode("r", root / "package", root / "scratch", LIMITS, *[print] * 4, entry="train:train")
folder = Folder(root / "run")
folder.make(root / "package", {{}})
run(code, folder)
"""
    tmp_path.chmod(0o755)
    worker = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: bool(running(mark)))

    worker.send_signal(signal.SIGKILL)
    worker.wait()

    until(lambda: not running(mark))


def until(true: Callable[[], bool]) -> None:
    """Wait for a fact."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
