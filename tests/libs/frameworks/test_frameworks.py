"""What every framework must do; a new line in FRAMEWORKS is tested before its author writes a test."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from headrace import frameworks as every_framework
from headrace.contracts import Column, ContractError
from headrace.contracts.estimators import frameworks
from headrace.frameworks import (
    About,
    BadEstimator,
    BadTrainingData,
    Fitted,
    NotInstalled,
    Recipe,
)
from headrace.runtimes import DESCRIBING, BadModel, load, refuse_pickle
from headrace.tasks import FITTED, TASKS, parse_declaration, target_of

ABOUT = About(run="run-1", created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
# what runs a user's code is tried in test_own_code.py
CATALOG = every_framework.LIBRARIES
FRAMEWORKS = {name: each for name, each in every_framework.FRAMEWORKS.items() if name in CATALOG}
ESTIMATORS = {
    "sklearn": [
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "sklearn.ensemble.HistGradientBoostingRegressor",
        "sklearn.ensemble.RandomForestClassifier",
        "sklearn.ensemble.RandomForestRegressor",
        "sklearn.ensemble.GradientBoostingClassifier",
        "sklearn.ensemble.ExtraTreesClassifier",
        "sklearn.tree.DecisionTreeClassifier",
        "sklearn.linear_model.LogisticRegression",
        "sklearn.linear_model.Ridge",
        "sklearn.neighbors.KNeighborsClassifier",
        "sklearn.neural_network.MLPClassifier",
        "sklearn.naive_bayes.GaussianNB",
    ],
    "lightgbm": ["lightgbm.LGBMClassifier", "lightgbm.LGBMRegressor"],
    "xgboost": ["xgboost.XGBClassifier", "xgboost.XGBRegressor"],
    "catboost": ["catboost.CatBoostClassifier", "catboost.CatBoostRegressor"],
    "torch": ["headrace.frameworks.torch.TabularClassifier", "headrace.frameworks.torch.TabularRegressor"],
}
CASES = [(framework, path) for framework in FRAMEWORKS for path in ESTIMATORS[framework]]
CLASSIFIERS = {**{name: each.classifier for name, each in CATALOG.items()}, "sklearn": ESTIMATORS["sklearn"][7]}
REGRESSORS = {**{name: each.regressor for name, each in CATALOG.items()}, "sklearn": ESTIMATORS["sklearn"][8]}


def cannot(framework: str, task: str) -> str | None:
    """Why the usual estimator of a framework cannot learn a task, by the catalogue; None where it can."""
    found = frameworks()[framework].estimators[CATALOG[framework].usual_of(TASKS[task].kinds)]
    return found.cannot.get(TASKS[task].learned_as)


ABLE = [(framework, task) for framework in FRAMEWORKS for task in FITTED if cannot(framework, task) is None]
LEARNED = [(framework, task) for framework, task in ABLE if TASKS[task].learned_as == task]
"""Without tasks that a framework learns as another one."""
UNABLE = [(framework, task) for framework in CATALOG for task in FITTED if cannot(framework, task) is not None]


def recipe(path: str, features: list[Column], target: str | None = None, **params: object) -> Recipe:
    """A recipe for an estimator; regressors learn minutes."""
    classifies = path.endswith(("Classifier", "LogisticRegression", "GaussianNB"))
    default, task = ("late", "binary") if classifies else ("minutes", "regression")
    return Recipe(path, params, 3, features, target or default, task)


def fit(framework: str, frame: pd.DataFrame, wanted: Recipe) -> Fitted:
    """Fit without listening."""
    return FRAMEWORKS[framework].fit(frame, wanted, lambda step, of: None)


def unseen() -> dict[str, list[object]]:
    """Rows as a server gets them: lists, missing values, and a carrier that training has not seen."""
    return {
        "distance": [500, 1200, 90],
        "wind": [3.25, None, 61.5],
        "weekend": [True, False, True],
        "carrier": ["UA", None, "never seen"],
    }


def assert_same(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    """Two predictors said the same."""
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(values, theirs[name], rtol=1e-4, atol=1e-5)
        else:
            assert values.tolist() == theirs[name].tolist()


def test_every_framework_is_tried() -> None:
    """A framework without estimators in this suite would go untested."""
    assert ESTIMATORS.keys() == CATALOG.keys()


@pytest.mark.parametrize("framework", [name for name in CATALOG if name not in FRAMEWORKS])
def test_a_framework_that_is_not_installed_is_told_with_what_to_install(framework: str) -> None:
    """It is no framework that can be trained here, and asking for it says what would make it one."""
    with pytest.raises(NotInstalled, match=rf"install headrace-frameworks\[{framework}\]"):
        every_framework.FRAMEWORKS[framework]


@pytest.mark.parametrize(("framework", "task"), ABLE)
def test_declarations_get_the_catalogs_estimator(framework: str, task: str) -> None:
    """A declaration without an estimator means the one that the catalog names, and it can be fitted."""
    data = {"dataset": "d", "target": "t"}
    options = dict(TASKS[task].example_options())
    document = {"name": "m", "task": task, "data": data, "training": {"framework": framework}}
    declared = parse_declaration({**document, "task_options": options} if options else document)

    usual = CATALOG[framework].usual_of(TASKS[task].kinds)
    assert declared.training.estimator == usual
    FRAMEWORKS[framework].check(usual, {})


@pytest.mark.parametrize(("framework", "task"), UNABLE)
def test_a_task_that_a_framework_cannot_learn_is_refused_when_it_is_declared(framework: str, task: str) -> None:
    """With the reason, and what to do; whether the library is installed here or not."""
    options = dict(TASKS[task].example_options())
    document = {
        "name": "m",
        "task": task,
        "data": {"dataset": "d", "target": "t"},
        "training": {"framework": framework},
    }

    with pytest.raises(ContractError) as refused:
        parse_declaration({**document, "task_options": options})

    assert f"cannot be trained for task {task}: it {cannot(framework, task)}; name another framework" in str(
        refused.value
    )


@pytest.mark.parametrize(("framework", "task"), LEARNED)
def test_every_framework_fits_every_task_that_it_can(
    framework: str, task: str, frame: pd.DataFrame, features: list[Column], tmp_path: Path
) -> None:
    """With its usual estimator: what the task promises comes out, and graph and framework agree."""
    signal = frame["minutes"].to_numpy()
    frame["y"] = TASKS[task].example((signal - signal.mean()) / signal.std())
    path, options = CATALOG[framework].usual_of(TASKS[task].kinds), TASKS[task].example_options()
    for key in TASKS[task].keys(options):
        frame[key] = np.arange(len(frame)) % 200
    fitted = fit(framework, frame, Recipe(path, {}, 3, features, "y", task, options=options))

    saved = FRAMEWORKS[framework].save(fitted, tmp_path, ABOUT)

    graph, own = load(tmp_path), FRAMEWORKS[framework].load(tmp_path)
    assert saved.signature.task == task
    assert (saved.signature.task_options or {}) == dict(options)
    assert target_of(graph.signature) == own.target == fitted.target
    answer = graph.answer(unseen())
    assert list(answer) == [tensor.name for tensor in saved.signature.outputs]
    assert_same(own.predict(unseen()), answer)
    for tensor in saved.signature.outputs:
        assert answer[tensor.name].shape == (3, *tensor.shape[1:])


@pytest.mark.parametrize("task", FITTED)
def test_an_estimator_of_the_other_kind_is_refused(task: str, frame: pd.DataFrame, features: list[Column]) -> None:
    """A regressor gives no probabilities, and a classifier no quantities."""
    other = REGRESSORS if TASKS[task].estimators == "classifier" else CLASSIFIERS
    with pytest.raises(BadEstimator, match=f"is no {' or '.join(TASKS[task].kinds)}, and task {task} needs one"):
        fit("sklearn", frame, Recipe(other["sklearn"], {}, 0, features, "late", task))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("framework", "path"), CASES)
def test_the_graph_answers_as_the_framework_does(
    framework: str, path: str, frame: pd.DataFrame, features: list[Column], tmp_path: Path
) -> None:
    """ONNX and the framework's own format agree on unseen rows, with missing values and unknown categories."""
    fitted = fit(framework, frame, recipe(path, features))

    saved = FRAMEWORKS[framework].save(fitted, tmp_path, ABOUT)

    assert saved.largest_difference < 1e-4
    own, graph = FRAMEWORKS[framework].load(tmp_path), load(tmp_path)
    assert_same(own.predict(unseen()), graph.answer(unseen()))
    everything = {name: frame[name].to_numpy() for name in ("distance", "wind", "weekend", "carrier")}
    assert_same(own.predict(everything), graph.answer(everything))
    assert own.signature == graph.signature == saved.signature


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_fresh_process_answers_the_same(
    framework: str, frame: pd.DataFrame, features: list[Column], tmp_path: Path
) -> None:
    """Nothing but the folder is needed, and serving imports no library that fits."""
    fitted = fit(framework, frame, recipe(CLASSIFIERS[framework], features))
    saved = FRAMEWORKS[framework].save(fitted, tmp_path, ABOUT)
    fitting = {"sklearn", "skl2onnx", "torch"} | ({"pandas", "lightgbm"} if saved.runtime == "onnx" else set())
    program = (
        "import json, sys, pathlib, headrace.frameworks as f, headrace.runtimes as r\n"
        "folder, rows = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])\n"
        "graph = r.load(folder).answer(rows)\n"
        f"assert not {fitting} & set(sys.modules)\n"
        "own = f.FRAMEWORKS[sys.argv[3]].load(folder).predict(rows)\n"
        "print(json.dumps([graph['probability'].tolist(), own['probability'].tolist()]))\n"
    )

    answer = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), json.dumps(unseen()), framework],
        capture_output=True,
        text=True,
        check=True,
    )

    here = FRAMEWORKS[framework].load(tmp_path).predict(unseen())["probability"]
    for there in json.loads(answer.stdout):
        np.testing.assert_allclose(there, here, atol=1e-6)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_directory_is_laid_out_as_mlflow_does(
    framework: str, frame: pd.DataFrame, features: list[Column], tmp_path: Path
) -> None:
    """MLmodel names run, time, signature and flavors; the example can be fed back; nothing is pickle."""
    fitted = fit(framework, frame, recipe(CLASSIFIERS[framework], features))
    saved = FRAMEWORKS[framework].save(fitted, tmp_path, ABOUT)

    mlmodel = yaml.safe_load((tmp_path / "MLmodel").read_text())
    assert mlmodel["run_id"] == "run-1"
    assert mlmodel["utc_time_created"] == "2026-01-02T03:04:05+00:00"
    assert {saved.runtime, "headrace", "python_function", framework} <= mlmodel["flavors"].keys()
    assert {c["name"]: c["type"] for c in json.loads(mlmodel["signature"]["inputs"])} == {
        "distance": "long",
        "wind": "double",
        "weekend": "boolean",
        "carrier": "string",
    }
    example = json.loads((tmp_path / "input_example.json").read_text())
    columns = dict(zip(example["columns"], zip(*example["data"], strict=True), strict=True))
    assert len(load(tmp_path).answer(columns)["label"]) == len(example["data"])
    assert "onnxruntime==" in (tmp_path / "requirements.txt").read_text()
    refuse_pickle(tmp_path)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("order", [("carrier", "wind"), ("wind", "carrier")], ids="-".join)
def test_a_column_means_the_same_wherever_it_stands(framework: str, order: tuple[str, str], tmp_path: Path) -> None:
    """Also where a library puts categories behind numbers: one of each decides half of the answer."""
    rng = np.random.default_rng(5)
    wind, carrier = rng.normal(size=600), rng.choice(["AA", "DL", "UA"], 600)
    late = np.where(carrier == "UA", wind > 0, wind < 0).astype(int)
    known = {
        "wind": Column(name="wind", type="number", nullable=False),
        "carrier": Column(name="carrier", type="string", nullable=False),
    }
    usual = Recipe(CATALOG[framework].usual_of(("classifier",)), {}, 3, [known[n] for n in order], "late", "binary")

    rows = pd.DataFrame({"wind": wind, "carrier": carrier, "late": late})
    fitted = FRAMEWORKS[framework].fit(rows, usual, lambda _step, _of: None)
    FRAMEWORKS[framework].save(fitted, tmp_path, ABOUT)

    asked = {"wind": wind.tolist(), "carrier": carrier.tolist()}
    assert (load(tmp_path).answer(asked)["label"] == late).mean() > 0.95


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_string_labels_come_back_as_strings(
    framework: str, frame: pd.DataFrame, features: list[Column], tmp_path: Path
) -> None:
    """A target of words is predicted as words; the probability is of the greater one."""
    frame["late"] = np.where(frame["late"] == 1, "late", "early")
    fitted = fit(framework, frame, recipe(CLASSIFIERS[framework], features))

    saved = FRAMEWORKS[framework].save(fitted, tmp_path, ABOUT)

    answer = load(tmp_path).answer(unseen())
    assert set(answer["label"]) <= {"late", "early"}
    assert [(t.name, t.datatype) for t in saved.signature.outputs] == [("label", "BYTES"), ("probability", "FP64")]
    assert_same(FRAMEWORKS[framework].load(tmp_path).predict(unseen()), answer)
    assert ((answer["probability"] > 0.5) == (answer["label"] == "late")).all()


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("kind", ["numbers", "strings", "empty"])
def test_one_kind_of_column_is_enough(
    framework: str, kind: str, frame: pd.DataFrame, features: list[Column], tmp_path: Path
) -> None:
    """Only numbers, only strings, or a column that is empty in every row: all train and export."""
    frame["wind"] = np.nan if kind == "empty" else frame["wind"]
    wanted = [f for f in features if kind == "empty" or (f.type == "string") == (kind == "strings")]

    saved = FRAMEWORKS[framework].save(fit(framework, frame, recipe(CLASSIFIERS[framework], wanted)), tmp_path, ABOUT)

    assert [t.name for t in saved.signature.inputs] == [f.name for f in wanted]
    assert load(tmp_path).answer(unseen())["probability"].shape == (3,)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_same_seed_gives_the_same_model(
    framework: str, frame: pd.DataFrame, features: list[Column], tmp_path: Path
) -> None:
    """Rows, recipe and seed decide the model; where the catalogue says so, every byte that is not about the run."""
    first, second = (fit(framework, frame, recipe(REGRESSORS[framework], features)) for _ in range(2))

    assert (first.pipeline.predict(first.sample) == second.pipeline.predict(second.sample)).all()
    if CATALOG[framework].deterministic:
        runs = {"run-1": first, "run-2": second}
        told = [files(framework, tmp_path / run, fitted, About(run, datetime.now(UTC))) for run, fitted in runs.items()]
        assert {name for name in told[0] if told[0][name] != told[1].get(name)} <= set(DESCRIBING)
        assert told[0].keys() == told[1].keys()


def files(framework: str, folder: Path, fitted: Fitted, about: About) -> dict[str, bytes]:
    """The files of a saved model."""
    folder.mkdir()
    FRAMEWORKS[framework].save(fitted, folder, about)
    return {each.name: each.read_bytes() for each in folder.iterdir()}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_progress_ends_where_it_said(framework: str, frame: pd.DataFrame, features: list[Column]) -> None:
    """The last word says that all steps are done."""
    said: list[tuple[int, int]] = []

    FRAMEWORKS[framework].fit(frame, recipe(CLASSIFIERS[framework], features), lambda s, of: said.append((s, of)))

    assert said[-1][0] == said[-1][1]


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize(
    "path", ["os.system", "subprocess.Popen", "sklearn", "sklearn._loss.HalfBinomialLoss", "pickle.loads"]
)
def test_only_the_librarys_own_classes_may_be_named(framework: str, path: str) -> None:
    """An import path is a program: what is not on the list is never imported."""
    with pytest.raises(BadEstimator, match="refused"):
        FRAMEWORKS[framework].check(path, {})


def test_a_wrong_name_offers_the_nearest() -> None:
    """An error about an estimator or parameter says what was probably meant."""
    with pytest.raises(BadEstimator, match="did you mean 'LogisticRegression'"):
        FRAMEWORKS["sklearn"].check("sklearn.linear_model.LogisticRegresion", {})
    with pytest.raises(BadEstimator, match="did you mean 'max_iter'"):
        FRAMEWORKS["sklearn"].check("sklearn.linear_model.LogisticRegression", {"maxiter": 3})
    with pytest.raises(BadEstimator, match="did you mean 'num_leaves'"):
        FRAMEWORKS["lightgbm"].check("lightgbm.LGBMClassifier", {"num_leafs": 3})


def test_what_gives_no_probability_is_refused() -> None:
    """Gates, drift and serving need a probability."""
    with pytest.raises(BadEstimator, match="no probabilities"):
        FRAMEWORKS["sklearn"].check("sklearn.svm.LinearSVC", {})
    with pytest.raises(BadEstimator, match="neither a classifier nor a regressor"):
        FRAMEWORKS["sklearn"].check("sklearn.cluster.KMeans", {})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda f: f.drop(columns="late"), "target 'late' is no column"),
        (lambda f: f.assign(late=1), "two classes"),
        (lambda f: f.assign(late=[None, *f["late"][1:]]), "missing in 1 of 1500 rows"),
        (lambda f: f.assign(late=np.arange(len(f)) % 3), "has 3 classes"),
        (lambda f: f.assign(late=f["wind"].fillna(0.5) + 0.25), "fractions"),
        (lambda f: f.head(5), "5 rows are too few"),
        (lambda f: f.drop(columns="wind"), "features wind are no columns"),
    ],
)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_rows_that_cannot_train_are_refused_in_words(
    framework: str, change: object, reason: str, frame: pd.DataFrame, features: list[Column]
) -> None:
    """The author reads what is wrong with the data, not a trace."""
    with pytest.raises(BadTrainingData, match=reason):
        fit(framework, change(frame), recipe(CLASSIFIERS[framework], features))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_regressor_refuses_what_is_no_number(framework: str, frame: pd.DataFrame, features: list[Column]) -> None:
    """A target of strings or booleans cannot be a quantity."""
    for target in ("carrier", "weekend"):
        wanted = recipe(REGRESSORS[framework], features[:2], target=target)
        with pytest.raises(BadTrainingData, match="a regressor learns numbers"):
            fit(framework, frame.dropna(), wanted)


def test_timestamps_are_no_features(frame: pd.DataFrame) -> None:
    """The error says what to give instead."""
    when = [Column(name="at", type="timestamp", nullable=False)]
    frame["at"] = pd.Timestamp("2026-01-01")

    with pytest.raises(BadTrainingData, match="hour, weekday"):
        fit("sklearn", frame, recipe(CLASSIFIERS["sklearn"], when))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_folder_that_is_no_model_is_refused(framework: str, tmp_path: Path) -> None:
    """A damaged or foreign folder never half loads."""
    with pytest.raises(BadModel):
        FRAMEWORKS[framework].load(tmp_path)
    with pytest.raises(BadModel):
        load(tmp_path)
