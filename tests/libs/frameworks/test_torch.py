"""Networks that are declared by layers: every layer in the graph, embeddings, losses, seeds, and files of others."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headrace.contracts import Column, Preparation
from headrace.frameworks import FRAMEWORKS, About, BadEstimator, EarlyStopping, Fitted, Recipe, Saved
from headrace.frameworks.layers import ACTIVATIONS, Design, Embedded, Layer
from headrace.runtimes import BadModel, PickleFound, load

torch = pytest.importorskip("torch", reason="torch is not installed here: `make frameworks`")

from headrace.frameworks.inner import Rows  # noqa: E402 - what follows imports torch
from headrace.frameworks.torch.activations import OF_NAME  # noqa: E402
from headrace.frameworks.torch.estimators import TabularClassifier, TabularRegressor, threads_for  # noqa: E402
from headrace.frameworks.torch.files import FILE  # noqa: E402
from headrace.frameworks.torch.learning import OF_NUMBERS, pinball  # noqa: E402
from headrace.frameworks.torch.network import BEYOND, Network, device_here  # noqa: E402

CLASSIFIER, REGRESSOR = (f"headrace.frameworks.torch.Tabular{each}" for each in ("Classifier", "Regressor"))
ABOUT = About(run="run-1", created=datetime(2026, 1, 2, tzinfo=UTC))
COLUMNS = [Column(name="wind", type="number", nullable=True), Column(name="carrier", type="string", nullable=True)]
QUICK = {"epochs": 2, "layers": [8]}


def rows(count: int = 300, seed: int = 1) -> pd.DataFrame:
    """Minutes rise with the wind, and more with one carrier; late is what is above 10."""
    chance = np.random.default_rng(seed)
    wind, carrier = chance.normal(0, 3, count), chance.choice(["AA", "DL", "UA"], count)
    minutes = 10 + wind * 2 + (carrier == "UA") * 5 + chance.normal(0, 1, count)
    return pd.DataFrame({"wind": wind, "carrier": carrier, "minutes": minutes, "late": (minutes > 10).astype(int)})


def fit(path: str, params: dict[str, Any], frame: pd.DataFrame | None = None, **more: Any) -> Fitted:
    """Fit on all columns; a regressor learns minutes."""
    target, task = ("late", "binary") if path == CLASSIFIER else ("minutes", "regression")
    recipe = Recipe(path, params, more.pop("seed", 3), COLUMNS, target, more.pop("task", task), **more)
    return FRAMEWORKS["torch"].fit(rows() if frame is None else frame, recipe, lambda step, of: None)


def save(fitted: Fitted, folder: Path) -> Saved:
    """Save into a folder that need not be there."""
    folder.mkdir(exist_ok=True)
    return FRAMEWORKS["torch"].save(fitted, folder, ABOUT)


def asked(wind: list[Any], carrier: list[Any] | None = None) -> dict[str, list[Any]]:
    """A request."""
    return {"wind": wind, "carrier": carrier or ["AA"] * len(wind)}


def network_of(fitted: Fitted) -> Network:
    """What was fitted."""
    found: Network = fitted.estimator.network_
    return found


def test_every_activation_that_can_be_named_is_there() -> None:
    """The list that declarations are judged by, and what learns and answers."""
    assert sorted(OF_NAME) == sorted(ACTIVATIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_in_the_graph_is_that_of_torch(name: str, tmp_path: Path) -> None:
    """Far from zero on both sides, too, where approximations would differ."""
    fitted = fit(REGRESSOR, {"epochs": 1, "layers": [{"units": 5, "activation": name}]})
    saved = save(fitted, tmp_path)

    row = asked(np.linspace(-200, 200, 401).tolist())
    own, graph = FRAMEWORKS["torch"].load(tmp_path).predict(row), load(tmp_path).answer(row)

    assert saved.largest_difference < 1e-5
    np.testing.assert_allclose(graph["prediction"], own["prediction"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "params",
    [
        {"layers": []},
        {"layers": [4, 3, 2]},
        {"layers": [{"units": 6, "batch_norm": True}, {"units": 3, "dropout": 0.4}]},
        {"batch_norm": True, "dropout": 0.2, "activation": "silu"},
        {"embedding": 7},
    ],
    ids=["linear", "deep", "by layer", "all", "wide embedding"],
)
def test_every_part_of_a_network_is_in_the_graph(params: dict[str, Any], tmp_path: Path) -> None:
    """Also where columns are of one kind alone; dropout is not there once it has learned."""
    for at, columns in enumerate((COLUMNS, COLUMNS[:1], COLUMNS[1:])):
        recipe = Recipe(CLASSIFIER, {"epochs": 2, **params}, 3, columns, "late", "binary")
        saved = save(FRAMEWORKS["torch"].fit(rows(), recipe, lambda step, of: None), tmp_path / str(at))
        assert saved.runtime == "onnx"
        assert saved.largest_difference < 1e-5


def test_no_layers_learn_what_least_squares_learn() -> None:
    """A linear model, whose solution is known: ours comes near it from a random beginning."""
    frame = rows(600)
    found = fit(REGRESSOR, {"layers": [], "epochs": 60, "learning_rate": 0.02, "weight_decay": 0}, frame)

    known = np.column_stack([np.ones(600), frame["wind"], *(frame["carrier"] == each for each in ("DL", "UA"))])
    best, *_ = np.linalg.lstsq(known.astype(float), frame["minutes"], rcond=None)
    np.testing.assert_allclose(found.pipeline.predict(frame), known.astype(float) @ best, atol=0.5)


def test_categories_that_training_has_not_seen_are_all_alike(tmp_path: Path) -> None:
    """They have no place in the embedding: zeros stand for them, in graph and network."""
    save(fit(REGRESSOR, QUICK), tmp_path)

    told = load(tmp_path).answer(asked([1.0] * 4, ["ZZ", "never seen", "UA", "AA"]))["prediction"]

    assert told[0] == told[1]
    assert len(set(told[1:])) == 3


def test_a_code_that_is_declared_and_never_learned_is_like_one_that_nobody_knows(tmp_path: Path) -> None:
    """An order may name categories beyond the last one that the rows have; the embedding ends with that one."""
    order = ["AA", "DL", "UA", "WN"]
    prepared = Preparation(columns={"carrier": [{"ordinal": {"order": order}}]})
    fitted = fit(REGRESSOR, QUICK, preparation=prepared)
    save(fitted, tmp_path)

    told = load(tmp_path).answer(asked([1.0, 1.0], ["WN", "never seen"]))["prediction"]

    assert network_of(fitted).design.embedded == (Embedded(1, 3, 2),)
    assert told[0] == told[1]


def test_texts_that_are_declared_as_columns_of_their_own_have_no_embedding() -> None:
    """`one-hot` makes numbers, which are taken as they are."""
    fitted = fit(CLASSIFIER, QUICK, preparation=Preparation(columns={"carrier": ["one-hot"]}))

    assert network_of(fitted).design.embedded == ()
    assert network_of(fitted).design.inputs == 4


def test_a_number_far_beyond_what_was_learned_is_held_there(tmp_path: Path) -> None:
    """Ten times the greatest magnitude; nothing becomes infinite on the way."""
    save(fit(REGRESSOR, QUICK), tmp_path)
    far = 10 * BEYOND * float(rows()["wind"].abs().max())

    told = load(tmp_path).answer(asked([far, far * 2, 1e30, 3.4e38, -far, -1e30]))["prediction"]

    assert np.isfinite(told).all()
    assert len(set(told[:4])) == 1
    assert told[4] == told[5] != told[0]


def test_every_epoch_is_told_once_and_the_last_word_says_that_all_are_done() -> None:
    """People see how far a run is."""
    said: list[tuple[int, int]] = []
    recipe = Recipe(CLASSIFIER, {"epochs": 5}, 3, COLUMNS, "late", "binary")

    FRAMEWORKS["torch"].fit(rows(), recipe, lambda step, of: said.append((step, of)))

    assert said == [(step, 5) for step in (1, 2, 3, 4, 5, 5)]


def test_epochs_of_all_quantiles_count_together(tmp_path: Path) -> None:
    """Each level is a network of its own, in one file and one graph; about as many rows are below it as it says."""
    said: list[tuple[int, int]] = []
    levels = [0.1, 0.5, 0.9]
    recipe = Recipe(
        REGRESSOR, {"epochs": 30, "layers": [16]}, 3, COLUMNS, "minutes", "quantiles", options={"quantiles": levels}
    )
    frame = rows(1000)
    fitted = FRAMEWORKS["torch"].fit(frame, recipe, lambda step, of: said.append((step, of)))
    saved = save(fitted, tmp_path)

    told = load(tmp_path).answer({name: frame[name].tolist() for name in ("wind", "carrier")})["quantiles"]
    own = FRAMEWORKS["torch"].load(tmp_path).predict({name: frame[name].tolist() for name in ("wind", "carrier")})

    assert said[-2:] == [(90, 90), (90, 90)]
    assert saved.largest_difference < 1e-5
    np.testing.assert_allclose(own["quantiles"], told, atol=1e-4)
    below = (frame["minutes"].to_numpy()[:, None] < told).mean(axis=0)
    np.testing.assert_allclose(below, levels, atol=0.08)


def test_a_fit_that_is_watched_ends_early_with_the_weights_of_its_best_epoch() -> None:
    """Told fewer epochs than allowed; a longer patience finds nothing worse on the watched rows."""
    frame = rows(200).assign(late=np.random.default_rng(0).integers(0, 2, 200))  # nothing can be learned of it
    steps: list[int] = []
    recipe = Recipe(
        CLASSIFIER, {"epochs": 300, "learning_rate": 0.01}, 3, COLUMNS, "late", "binary",
        early_stopping=EarlyStopping(5, 0.25),
    )  # fmt: skip

    fitted = FRAMEWORKS["torch"].fit(frame, recipe, lambda step, of: steps.append(step))

    assert steps[-2] < 100
    assert steps[-1] == 300
    assert abs(fitted.pipeline.predict_proba(frame)[:, 1] - 0.5).max() < 0.5  # the noise was not learned by heart


@pytest.mark.parametrize("params", [{"dropout": 0.3}, {"batch_norm": True}, {"batch_size": 7}])
def test_the_same_seed_is_the_same_file_and_another_one_is_not(params: dict[str, Any], tmp_path: Path) -> None:
    """First weights, order of the rows and dropout are drawn by the seed alone."""
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        save(fit(CLASSIFIER, {**QUICK, **params}, seed=seed), tmp_path / name)
    files = {name: (tmp_path / name / FILE).read_bytes() for name in ("one", "two", "three")}
    graphs = {name: (tmp_path / name / "model.onnx").read_bytes() for name in ("one", "two", "three")}

    assert files["one"] == files["two"] != files["three"]
    assert graphs["one"] == graphs["two"] != graphs["three"]


def test_a_fit_leaves_the_state_of_torch_as_it_was() -> None:
    """A worker does many jobs: none draws otherwise, or has other threads, because of the one before."""
    torch.manual_seed(11)
    before, expected = torch.get_num_threads(), torch.rand(3)
    torch.manual_seed(11)

    fit(CLASSIFIER, {**QUICK, "dropout": 0.5})

    assert (torch.rand(3) == expected).all()
    assert torch.get_num_threads() == before


def test_a_seed_among_the_parameters_goes_before_that_of_the_run() -> None:
    """As for every other framework."""
    one, other = (fit(REGRESSOR, {**QUICK, "random_state": 8}, seed=seed) for seed in (1, 2))

    assert (one.pipeline.predict(rows()) == other.pipeline.predict(rows())).all()


def test_small_networks_learn_on_one_thread() -> None:
    """Threads that wait for each other make them slower; large ones get what the run was given."""
    small, large = Design(10, (Layer(64), Layer(32)), 2), Design(100, (Layer(1024), Layer(1024)), 2)

    assert threads_for(small, 128) == 1
    assert threads_for(large, 1024) >= 1
    assert threads_for(large, 1024) == threads_for(large, 4096)


def test_without_a_gpu_that_was_given_the_processors_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that asked for none sees none."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    assert device_here().type in ("cpu", "cuda")
    if not torch.cuda.is_available():
        assert device_here() == torch.device("cpu")


@pytest.mark.parametrize("count", [129, 257])
def test_no_batch_has_one_row_alone(count: int) -> None:
    """It would have no spread that a batch could be normalised by; batches are of almost equal size."""
    found = fit(CLASSIFIER, {**QUICK, "batch_norm": True, "batch_size": 128}, rows(count))

    assert np.isfinite(found.pipeline.predict_proba(rows(20))).all()


def test_a_loss_that_becomes_infinite_ends_the_fit_in_words() -> None:
    """The author reads which parameter to change, and gets no model that answers NaN."""
    with pytest.raises(BadEstimator, match=r"the loss became infinite .* give a smaller learning_rate"):
        fit(REGRESSOR, {"learning_rate": 1e30, "epochs": 20})


def test_each_loss_has_its_own_middle() -> None:
    """Of one skewed number: the mean, the median, and between them."""
    skewed = np.random.default_rng(2).exponential(10, 500)
    nothing = Rows(np.zeros((500, 1)), skewed, None)

    def said(**params: Any) -> float:
        found = TabularRegressor([], epochs=60, learning_rate=0.02, weight_decay=0, **params).fit(nothing)
        return float(found.predict(np.zeros((1, 1)))[0])

    assert said(loss="squared_error") == pytest.approx(skewed.mean(), abs=0.7)
    assert said(loss="absolute_error") == pytest.approx(np.median(skewed), abs=0.7)
    assert np.median(skewed) < said(loss="huber") < skewed.mean()
    assert said(loss="quantile", quantile=0.9) == pytest.approx(np.quantile(skewed, 0.9), abs=2.5)


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_a_loss_is_zero_where_nothing_differs_and_grows_with_the_difference(name: str) -> None:
    """One number a row, the same on both sides of the truth."""
    outputs, truth = torch.tensor([[1.0], [2.0], [0.0], [4.0]]), torch.ones(4)

    none, one, below, three = OF_NUMBERS[name](outputs, truth).tolist()

    assert none == 0
    assert one == below
    assert three > one > 0


def test_what_is_below_a_high_quantile_costs_less_than_what_is_above() -> None:
    """By the share that the level says."""
    costs = pinball(torch.tensor([[0.0], [2.0]]), torch.ones(2), 0.9)

    np.testing.assert_allclose(costs.numpy(), [0.9, 0.1], rtol=1e-6)


def test_weights_are_those_of_rows_whatever_their_size() -> None:
    """Ten times the weight in every row is the same fit; rows of no weight are as though they were not there."""
    chance = np.random.default_rng(4)
    seen, truth = chance.normal(size=(60, 2)), chance.integers(0, 2, 60)
    weights = chance.integers(0, 3, 60).astype(float)
    kept = weights > 0

    def said(*told: Any) -> np.ndarray:
        return TabularClassifier([4], epochs=2, batch_size=16).fit(Rows(*told)).predict_proba(seen)

    once = said(seen, truth, weights)
    np.testing.assert_allclose(said(seen, truth, weights * 8), once, rtol=1e-5)
    assert (said(seen[kept], truth[kept], weights[kept]) == once).all()
    assert (said(seen, truth, None) != once).any()


def test_many_rows_are_answered_in_pieces_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and no rows are fine, too."""
    found = fit(CLASSIFIER, QUICK).estimator
    matrix = np.random.default_rng(1).normal(size=(50, 2))
    whole = found.predict_proba(matrix)

    monkeypatch.setattr("headrace.frameworks.torch.estimators._ROWS", 7)

    np.testing.assert_allclose(found.predict_proba(matrix), whole, rtol=1e-6)
    assert found.predict_proba(matrix[:0]).shape == (0, 2)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"layer": [3]}, "has no parameter 'layer'; did you mean 'layers'"),
        ({"layers": [0]}, "params.layers: takes a list, each an integer from 1"),
        ({"layers": [{"units": 3, "activation": "rel"}]}, "params.layers: takes a list"),
        ({"activation": "rel"}, "params.activation: takes"),
        ({"dropout": 1.0}, "params.dropout: takes a number from 0 below 1"),
        ({"epochs": 0}, "params.epochs: takes an integer from 1"),
        ({"learning_rate": 0}, "params.learning_rate: takes a number above 0"),
        ({"batch_norm": True, "batch_size": 1}, "batch_norm has nothing to normalise in batches of one row"),
        ({"layers": [{"units": 3, "batch_norm": True}], "batch_size": 1}, "batch_norm has nothing to normalise"),
        ({"lr": 0.1, "learning_rate": 0.1}, "is another name of"),
    ],
)
def test_what_could_never_be_fitted_is_refused_before_it_is(params: dict[str, Any], told: str) -> None:
    """By the catalogue that declarations are judged by, and by what only several parameters together say."""
    with pytest.raises(BadEstimator, match=told):
        FRAMEWORKS["torch"].check(CLASSIFIER, params)


@pytest.mark.parametrize("alias", ["lr", "max_epochs", "hidden_layer_sizes", "seed"])
def test_other_names_of_parameters_are_known(alias: str) -> None:
    """Those that people know from other libraries."""
    FRAMEWORKS["torch"].check(REGRESSOR, {alias: [3] if alias == "hidden_layer_sizes" else 1})


def test_a_classifier_has_no_loss_to_choose() -> None:
    """Its probabilities come of cross entropy."""
    with pytest.raises(BadEstimator, match="has no parameter 'loss'"):
        FRAMEWORKS["torch"].check(CLASSIFIER, {"loss": "huber"})


def test_monotone_constraints_are_refused() -> None:
    """A network keeps none."""
    with pytest.raises(BadEstimator, match="has no monotone constraints"):
        fit(CLASSIFIER, QUICK, monotone={"wind": 1})


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])


def _foreign(file: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, file)


def _of_another_network(file: Path) -> None:
    from safetensors.torch import save_file

    design = Design(2, (Layer(9),), 2).dumps()
    save_file({"0.last.weight": torch.zeros(2, 9)}, file, {"headrace": json.dumps([design])})


def _without_json(file: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, file, {"headrace": "[3"})


@pytest.mark.parametrize("damage", [_cut, _foreign, _of_another_network, _without_json])
def test_a_file_that_is_damaged_or_of_another_is_refused(damage: Any, tmp_path: Path) -> None:
    """In words, with its name; nothing of it is used."""
    save(fit(CLASSIFIER, QUICK), tmp_path)
    damage(tmp_path / FILE)

    with pytest.raises(BadModel, match=f"{FILE} cannot be loaded"):
        FRAMEWORKS["torch"].load(tmp_path)


def test_torch_s_own_files_are_pickle_and_refused(tmp_path: Path) -> None:
    """Which is why networks are saved as safetensors."""
    save(fit(CLASSIFIER, QUICK), tmp_path)
    torch.save({"weight": torch.zeros(3)}, tmp_path / "weights.bin")

    with pytest.raises(PickleFound, match=r"weights\.bin"):
        load(tmp_path)
