"""Steps of a preparation: each against the library that it learns with, and training against serving, on nasty rows."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from headrace.contracts import Column, Preparation
from headrace.contracts.preparation import BOOLEAN, NUMERIC, TEXT, TIMESTAMP
from headrace.frameworks import FRAMEWORKS, LIBRARIES, About, BadEstimator, BadTrainingData, Fitted, Recipe
from headrace.frameworks.preparation import STEPS, Preparing, fit_preparation, for_distances, for_trees, prepare
from headrace.frameworks.preparation import About as Facts
from headrace.runtimes import load
from headrace.runtimes.values import MISSING_TIME, hashed, micros, words

ABOUT = About(run="run-1", created=datetime(2026, 1, 2, tzinfo=UTC))
ROWS = 10_000
RNG = np.random.default_rng(11)
TYPES = {NUMERIC: "number", BOOLEAN: "boolean", TEXT: "string", TIMESTAMP: "timestamp"}
PLACES = np.array(["Ulm", "Bonn", "Kiel", "Trier", "Aachen", "Ötisheim"], dtype=object)
SAMPLE: Mapping[str, Any] = {
    NUMERIC: np.where(RNG.random(ROWS) < 0.1, np.nan, RNG.gamma(2.0, 8.0, ROWS).round(1).astype(np.float32)),
    BOOLEAN: pd.Series(RNG.random(ROWS) < 0.3).astype(object).where(RNG.random(ROWS) > 0.1, None).to_numpy(),
    TEXT: pd.Series(RNG.choice(PLACES, ROWS)).where(RNG.random(ROWS) > 0.1, None).to_numpy(dtype=object),
    TIMESTAMP: (np.datetime64("1969-06-01") + RNG.integers(0, 4 * 10**9, ROWS).astype("timedelta64[s]")),
}
"""A column of each kind."""
NASTY: Mapping[str, Sequence[Any]] = {
    NUMERIC: [None, np.nan, np.inf, -np.inf, 1e39, 3.4e38, -3.4e38, 0.0, -0.0, 1e-40, 7],
    BOOLEAN: [None, np.nan, True, False, 1, 0, None, True, None, False, True],
    TEXT: [None, "", " ", "never seen", "Ulm", "ulm", "Ötisheim", "a" * 5000, "x, y; Ulm Bonn", "\u200d", "42"],
    TIMESTAMP: [
        None, "", "2026-02-28T23:59:59.999999Z", "2024-02-29", "1969-12-31T23:59:59+14:00", "0001-01-01",
        "9999-12-31T23:59:59", pd.NaT, "2000-03-01 00:00:00", "1900-03-01T12:00:00-05:00", "2021-01-03",
    ],
}  # fmt: skip
"""Values that a request may carry, of each kind."""
NEEDED: Mapping[str, Mapping[str, Any]] = {
    "ordinal": {},
    "tf-idf": {"terms": 20, "together": 2},
    "hash": {"buckets": 8},
}
TARGET = (RNG.random(ROWS) < 0.4).astype(np.int64)


def rows(kind: str, values: Any) -> pd.DataFrame:
    """One column `x`, as a framework prepares it for its pipeline."""
    return prepare({"x": values}, [column(kind)])


def column(kind: str) -> Column:
    """Its column."""
    return Column(name="x", type=TYPES[kind], nullable=True)


def fitted(kind: str, steps: Sequence[Any], values: Any = None, *, labels: int = 2, nan: bool = True) -> Preparing:
    """The steps, fitted on a column of a kind."""
    values = SAMPLE[kind] if values is None else values
    target = TARGET[: len(values)] if labels else TARGET[: len(values)] * 2.5
    usual = for_trees(keeps_nan=nan)
    declared = Preparation(columns={"x": list(steps)})
    return fit_preparation(rows(kind, values), [column(kind)], declared, usual, Facts(target, labels, 5))


def cases() -> list[tuple[str, str]]:
    """Every step with every kind of column that it takes; what is left as text gets an encoder behind it."""
    kinds = (NUMERIC, BOOLEAN, TEXT, TIMESTAMP)
    return [
        (name, kind)
        for name, step in STEPS.items()
        for kind in kinds
        if kind in step.info.takes and not step.info.leaves_out
    ]


def declared(name: str, kind: str) -> list[Any]:
    """A chain with the step in it that ends in numbers."""
    params = dict(NEEDED.get(name, {}))
    if name == "impute" and kind == TEXT:
        return [{"impute": {"strategy": "most-frequent"}}, "ordinal"]
    return [{name: params} if params else name]


@pytest.mark.parametrize(("name", "kind"), cases())
def test_what_is_learned_from_is_what_serves(name: str, kind: str) -> None:
    """The whole graph makes of the training rows what the estimator was given, but for folds of the target."""
    found = fitted(kind, declared(name, kind))

    again = found.prepared.transform(rows(kind, SAMPLE[kind]))

    assert again.shape == found.rows.shape == (ROWS, len(found.made))
    if name == "target-mean":
        assert (again != found.rows).any()
    else:
        np.testing.assert_array_equal(again, found.rows)
    assert sum(each.makes for each in found.described) == len(found.made)


@pytest.mark.parametrize(("name", "kind"), cases())
def test_any_value_of_a_request_is_prepared_alone_as_among_others(name: str, kind: str) -> None:
    """Missing, empty, infinite, huge and unknown: finite or missing numbers, the same for one row as for many."""
    found = fitted(kind, declared(name, kind))

    together = found.prepared.transform(rows(kind, NASTY[kind]))

    alone = [found.prepared.transform(rows(kind, [value])) for value in NASTY[kind]]
    np.testing.assert_array_equal(np.concatenate(alone), together)
    assert not np.isinf(together).any()
    assert (np.abs(together[~np.isnan(together)]) <= np.finfo(np.float32).max).all()


@pytest.mark.parametrize(("name", "kind"), cases())
@pytest.mark.parametrize("values", ["all missing", "constant", "one value and gaps"])
def test_a_column_without_anything_to_learn_does_no_harm(name: str, kind: str, values: str) -> None:
    """All null, constant, or one value beside gaps: no error, no infinity, and no NaN where none may be."""
    one = next(each for each in NASTY[kind] if each is not None and each == each and each not in ("", np.inf))
    column = {
        "all missing": [None] * 100,
        "constant": [one] * 100,
        "one value and gaps": [one if at % 3 else None for at in range(100)],
    }[values]

    found = fitted(kind, declared(name, kind), column, nan=False)

    assert np.isfinite(found.rows).all()
    assert np.isfinite(found.prepared.transform(rows(kind, NASTY[kind]))).all()


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name in LIBRARIES])
@pytest.mark.parametrize(("name", "kind"), cases())
def test_every_step_exports_with_every_framework(name: str, kind: str, framework: str, tmp_path: Path) -> None:
    """The model directory answers as the framework does, on rows with everything that a request may carry."""
    values = SAMPLE[kind][:300]
    noise = RNG.normal(size=len(values))
    frame = pd.DataFrame({"x": pd.Series(values), "noise": noise, "y": (noise > 0).astype(int)})
    features = [column(kind), Column(name="noise", type="number", nullable=True)]
    path, params = MODELS[framework]
    recipe = Recipe(
        path, params, 3, features, "y", "binary", preparation=Preparation(columns={"x": declared(name, kind)})
    )

    saved = FRAMEWORKS[framework].save(trained(framework, frame, recipe), tmp_path, ABOUT)

    asked = {"x": list(NASTY[kind]), "noise": [0.25] * len(NASTY[kind])}
    here, there = load(tmp_path).answer(asked), FRAMEWORKS[framework].load(tmp_path).predict(asked)
    np.testing.assert_allclose(here["probability"], there["probability"], atol=1e-5)
    assert [each.columns for each in saved.preparation] != []


MODELS = {
    "sklearn": ("sklearn.linear_model.LogisticRegression", {}),
    "xgboost": ("xgboost.XGBClassifier", {"n_estimators": 5, "nthread": 1}),
    "catboost": ("catboost.CatBoostClassifier", {"iterations": 30, "thread_count": 1}),
    "torch": ("headrace.frameworks.torch.TabularClassifier", {"epochs": 30, "layers": [16], "learning_rate": 0.01}),
    "lightgbm": ("lightgbm.LGBMClassifier", {"n_estimators": 5, "min_child_samples": 5, "n_jobs": 1}),
}


def trained(framework: str, frame: pd.DataFrame, recipe: Recipe) -> Fitted:
    """Fit without listening."""
    return FRAMEWORKS[framework].fit(frame, recipe, lambda step, of: None)


def test_every_framework_is_tried() -> None:
    """A framework without a model here would go untested."""
    assert MODELS.keys() == LIBRARIES.keys()


NUMBERS = SAMPLE[NUMERIC].astype(np.float64)[:, None]
TEXTS = np.array([each if isinstance(each, str) else "" for each in SAMPLE[TEXT]], dtype=object)[:, None]
BUCKETS = [-1 if code < 0 else code % 5 for code in hashed(TEXTS[:, 0])]
BINS = {"encode": "ordinal", "subsample": None}
ORACLES: Mapping[str, tuple[str, Sequence[Any], Callable[[], np.ndarray]]] = {
    "mean": (NUMERIC, [{"impute": {"strategy": "mean"}}], lambda: SimpleImputer().fit_transform(NUMBERS)),
    "median and where": (
        NUMERIC,
        [{"impute": {"indicator": True}}],
        lambda: SimpleImputer(strategy="median", add_indicator=True).fit_transform(NUMBERS),
    ),
    "constant": (
        NUMERIC,
        [{"impute": {"strategy": "constant", "value": -3}}],
        lambda: SimpleImputer(strategy="constant", fill_value=-3).fit_transform(NUMBERS),
    ),
    "standard": (NUMERIC, ["standard"], lambda: StandardScaler().fit_transform(NUMBERS)),
    "min-max": (NUMERIC, ["min-max"], lambda: MinMaxScaler().fit_transform(NUMBERS)),
    "robust": (
        NUMERIC,
        [{"robust": {"low": 10, "high": 90}}],
        lambda: RobustScaler(quantile_range=(10, 90)).fit_transform(NUMBERS),
    ),
    "log": (NUMERIC, ["log"], lambda: np.log1p(NUMBERS)),
    "quantiles": (
        NUMERIC,
        [{"impute": {"strategy": "mean"}}, {"bin": {"bins": 7}}],
        lambda: KBinsDiscretizer(7, quantile_method="averaged_inverted_cdf", **BINS).fit_transform(
            SimpleImputer().fit_transform(NUMBERS)
        ),
    ),
    "widths": (
        NUMERIC,
        ["impute", {"bin": {"by": "uniform"}}],
        lambda: KBinsDiscretizer(5, strategy="uniform", **BINS).fit_transform(
            SimpleImputer(strategy="median").fit_transform(NUMBERS)
        ),
    ),
    "edges": (
        NUMERIC,
        ["impute", {"bin": {"by": "edges", "edges": [5, 10.5]}}, "one-hot"],
        lambda: np.eye(3)[np.digitize(SimpleImputer(strategy="median").fit_transform(NUMBERS)[:, 0], [5, 10.5])],
    ),
    "one-hot": (TEXT, ["one-hot"], lambda: OneHotEncoder(sparse_output=False).fit_transform(TEXTS)),
    "rare ones together": (
        TEXT,
        [{"one-hot": {"most": 3}}],
        lambda: OneHotEncoder(max_categories=3, sparse_output=False).fit_transform(TEXTS),
    ),
    "ordinal": (TEXT, ["ordinal"], lambda: OrdinalEncoder().fit_transform(TEXTS)),
    "in order": (
        TEXT,
        [{"ordinal": {"order": ["Trier", "Kiel", "Ulm"]}}],
        lambda: np.array([[{"Trier": 0, "Kiel": 1, "Ulm": 2}.get(each, -1)] for each in TEXTS[:, 0]]),
    ),
    "frequency": (
        TEXT,
        ["frequency"],
        lambda: pd.Series(TEXTS[:, 0]).map(pd.Series(TEXTS[:, 0]).value_counts(normalize=True)).to_numpy()[:, None],
    ),
    "most frequent": (
        TEXT,
        [{"impute": {"strategy": "most-frequent"}}, "ordinal"],
        lambda: OrdinalEncoder().fit_transform(
            SimpleImputer(strategy="most_frequent", missing_values="").fit_transform(TEXTS)
        ),
    ),
    "folds of a target": (
        TEXT,
        [{"target-mean": {"folds": 3}}],
        lambda: TargetEncoder(cv=StratifiedKFold(3, shuffle=True, random_state=5)).fit_transform(TEXTS, TARGET),
    ),
    "words": (TEXT, ["tf-idf"], lambda: TfidfVectorizer().fit_transform(TEXTS[:, 0]).toarray()),
    "hash": (TEXT, [{"hash": {"buckets": 5}}], lambda: np.eye(6)[BUCKETS][:, :5]),
}  # fmt: skip
"""What a library of its own makes of the sample."""


@pytest.mark.parametrize("name", ORACLES)
def test_a_step_is_what_the_library_says_it_is(name: str) -> None:
    """10,000 rows by the graph and by scikit-learn, or numpy, or pandas: alike to the last digit of float32."""
    kind, steps, right = ORACLES[name]

    found = fitted(kind, steps)

    np.testing.assert_allclose(found.rows, right(), rtol=2e-7, atol=1e-7)


SENTENCES = ["The dam holds.", "the water, the WATER rises", "", "a b c", "dam water dam", "Überlauf der Talsperre 42"]


def test_terms_of_several_words_weigh_as_the_library_weighs_them() -> None:
    """Words in any script and of two letters or more, pairs of them, to the length 1; a text without any is 0."""
    texts = [*SENTENCES] * 20

    found = fitted(TEXT, [{"tf-idf": {"together": 2, "least": 2, "terms": 50}}], texts)

    right = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=50).fit(texts)
    asked = [*SENTENCES, "nothing known", "the the dam " * 300]
    np.testing.assert_allclose(
        found.prepared.transform(rows(TEXT, asked)), right.transform(asked).toarray(), rtol=2e-7, atol=1e-7
    )
    assert [each.name for each in found.made] == [f"x : {term}" for term in right.get_feature_names_out()]


PARTS: Mapping[str, Callable[[pd.Series], Any]] = {
    "year": lambda times: times.dt.year,
    "quarter": lambda times: times.dt.quarter,
    "month": lambda times: times.dt.month,
    "week": lambda times: times.dt.isocalendar().week,
    "day": lambda times: times.dt.day,
    "day-of-year": lambda times: times.dt.day_of_year,
    "weekday": lambda times: times.dt.day_of_week,
    "weekend": lambda times: times.dt.day_of_week >= 5,
    "hour": lambda times: times.dt.hour,
    "minute": lambda times: times.dt.minute,
    "second": lambda times: times.dt.second,
    "elapsed": lambda times: (times - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1),
}
EDGES = pd.Series(
    np.array(
        [
            "0001-01-01", "0004-02-29T23:59:59.999999", "1582-10-15", "1899-12-31", "1900-02-28", "1900-03-01",
            "1969-12-31T23:59:59.999999", "1970-01-01", "2000-02-29", "2000-12-31", "2008-12-29", "2010-01-03",
            "2024-12-30", "2026-12-31T23:59:59", "9999-12-31T23:59:59.999999",
        ],
        dtype="datetime64[us]",
    )
)  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_a_time_is_what_the_calendar_says(part: str) -> None:
    """On 10,000 times of more than a century, and on the edges of years, eras and what can be written."""
    times = pd.concat([pd.Series(SAMPLE[TIMESTAMP].astype("datetime64[us]")), EDGES], ignore_index=True)

    found = fitted(TIMESTAMP, [{"date-parts": {"parts": [part]}}])

    right = PARTS[part](times).astype(np.float64).to_numpy()[:, None]
    np.testing.assert_allclose(found.prepared.transform(rows(TIMESTAMP, times)), right, rtol=1e-7)


def test_every_part_is_tried() -> None:
    """A part without its calendar here would go untested."""
    (rule,) = STEPS["date-parts"].info.params["parts"].allowed
    assert set(rule["of"]["one_of"]) == PARTS.keys()


def test_a_part_on_a_circle_is_beside_its_neighbours() -> None:
    """23 o'clock is as far from midnight as 1 o'clock; December is beside January; a missing time is in the middle."""
    found = fitted(TIMESTAMP, [{"cyclic": {"parts": ["hour", "month"]}}])
    asked = ["2026-01-01T00:30:00Z", "2026-12-01T23:30:00Z", "2026-02-01T01:30:00Z", None]

    midnight, before, after, gap = found.prepared.transform(rows(TIMESTAMP, asked))

    assert np.linalg.norm(midnight - before) == pytest.approx(np.linalg.norm(midnight - after))
    assert np.hypot(*midnight[:2]) == pytest.approx(1)
    assert gap.tolist() == [0, 0, 0, 0]
    assert [each.name for each in found.made] == ["x hour sine", "x hour cosine", "x month sine", "x month cosine"]


def test_a_time_means_the_same_in_every_form() -> None:
    """ISO 8601 with any offset or none (UTC), numpy's and Python's: as whole microseconds; a wrong one is missing."""
    noon = 1_767_268_800_000_000
    same = [
        "2026-01-01T12:00:00Z", "2026-01-01T12:00:00", "2026-01-01 13:00:00+01:00", "2026-01-01T06:00-06:00",
        np.datetime64("2026-01-01T12:00:00"), datetime(2026, 1, 1, 12, tzinfo=UTC), pd.Timestamp("2026-01-01T12:00:00"),
    ]  # fmt: skip

    assert micros(same).tolist() == [noon] * len(same)
    assert micros(np.array(["2026-01-01T12", "NaT"], dtype="datetime64[s]")).tolist() == [noon, MISSING_TIME]
    assert micros([None, "", "soon", np.nan, pd.NaT, 7]).tolist() == [MISSING_TIME] * 6


def test_words_are_found_alike_wherever_they_are_asked_for() -> None:
    """Small letters, two or more of them, any script; rows as long as the longest, at least one wide."""
    assert words(["Der Damm_1 hält!", None, "x"]).tolist() == [["der", "damm_1", "hält"], [""] * 3, [""] * 3]
    assert words([None, ""]).shape == (2, 1)
    assert words(["wort " * 5000]).shape == (1, 1000)


def test_a_step_may_follow_another() -> None:
    """What one makes the next one takes: an ordinal that is scaled, parts of a date that are filled and scaled."""
    found = fitted(
        TIMESTAMP,
        [{"date-parts": {"parts": ["hour"]}}, "impute", "min-max"],
        ["2026-01-01T06:00", None, "2026-01-01T18"] * 10,
    )

    assert sorted(set(found.rows[:, 0].tolist())) == [0.0, 0.5, 1.0]
    assert [step.step for step in found.described[0].steps] == ["date-parts", "impute", "min-max"]


@pytest.mark.parametrize(("labels", "wide"), [(0, 1), (2, 1), (3, 3)])
def test_the_mean_of_the_target_is_told_for_every_label(labels: int, wide: int) -> None:
    """One number for a quantity or two labels, one for each of several labels; an unknown category gets the mean."""
    target = np.arange(300) % (labels or 7)
    facts = Facts(target if labels else target * 1.5, labels, 0)
    texts = rows(TEXT, ["a", "b", "c"] * 100)
    plan = Preparation(columns={"x": ["target-mean"]})

    found = fit_preparation(texts, [column(TEXT)], plan, for_trees(keeps_nan=True), facts)

    assert found.rows.shape == (300, wide)
    unknown = found.prepared.transform(rows(TEXT, ["d"]))[0]
    means = [np.mean(target == at) for at in range(labels)] if labels > 2 else [np.mean(facts.target)]
    np.testing.assert_allclose(unknown, means, rtol=1e-6)


def test_no_row_is_told_its_own_answer() -> None:
    """A category of one row has the mean of the others while it is learned, and in service its own answer's share."""
    texts = [f"c{at}" for at in range(200)]
    found = fitted(TEXT, [{"target-mean": {"smooth": 0}}], texts)

    served = found.prepared.transform(rows(TEXT, texts))[:, 0]

    assert (served == TARGET[:200]).all()
    assert len(set(np.round(found.rows[:, 0], 9))) <= 5


def test_what_is_left_missing_never_reaches_an_estimator_that_cannot_take_it() -> None:
    """Whatever was declared, a median is put in at the end, and told."""
    kept, filled = (fitted(NUMERIC, ["standard"], nan=nan) for nan in (True, False))

    assert np.isnan(kept.rows).any()
    assert not np.isnan(filled.rows).any()
    assert [step.step for step in filled.described[0].steps] == ["standard", "impute"]


FEATURES = [
    Column(name="wind", type="number", nullable=True),
    Column(name="rain", type="number", nullable=True),
    Column(name="weekend", type="boolean", nullable=True),
    Column(name="carrier", type="string", nullable=True),
    Column(name="at", type="timestamp", nullable=True),
]


def flights(count: int = 400) -> pd.DataFrame:
    """Rows with a column of every kind, and a target that follows the hour."""
    at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(count) * 37, unit="min")
    return pd.DataFrame(
        {
            "wind": RNG.gamma(2.0, 8.0, count),
            "rain": np.where(RNG.random(count) < 0.2, np.nan, RNG.random(count)),
            "weekend": RNG.random(count) < 0.3,
            "carrier": RNG.choice(["AA", "DL", "UA"], count),
            "at": at,
            "late": (at.hour > 15).astype(int),
        }
    )


def plan(**parts: Any) -> Preparation:
    """A declared preparation in which the time is a feature."""
    columns = {"at": [{"date-parts": {"parts": ["hour"]}}], **parts.pop("columns", {})}
    return Preparation(columns=columns, **parts)


def test_columns_take_their_own_steps_else_those_of_their_kind_else_the_usual_ones() -> None:
    """Three ways to say it, the nearest one counts; what is alike is prepared together, and told as usual or not."""
    prepared = plan(columns={"wind": ["log"]}, kinds={"numeric": ["robust"]})

    found = fit_preparation(
        prepare({name: flights()[name] for name in flights()}, FEATURES), FEATURES, prepared, for_distances(),
        Facts(TARGET[:400], 2, 0),
    )  # fmt: skip

    told = [(each.columns, [step.step for step in each.steps], each.usual) for each in found.described]
    assert told == [
        (["wind"], ["log", "impute"], False),
        (["rain"], ["robust", "impute"], False),
        (["weekend"], ["impute", "standard"], True),
        (["carrier"], ["one-hot"], True),
        (["at"], ["date-parts", "impute"], False),
    ]
    assert found.described[3].steps[0].learned == {"categories": [3]}
    assert [each.makes for each in found.described] == [1, 1, 1, 3, 1]


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name in LIBRARIES])
def test_a_time_is_a_feature_where_it_is_prepared(framework: str, tmp_path: Path) -> None:
    """A request sends it as text, and an answer follows the hour; the signature says that it takes times."""
    path, params = MODELS[framework]
    recipe = Recipe(path, params, 3, FEATURES, "late", "binary", preparation=plan())

    saved = FRAMEWORKS[framework].save(trained(framework, flights(), recipe), tmp_path, ABOUT)

    at = next(tensor for tensor in saved.signature.inputs if tensor.name == "at")
    assert (at.datatype, at.format) == ("BYTES", "date-time")
    hours = ["2026-05-05T03:00:00Z", "2026-05-05T23:00:00+02:00", "2026-05-05T23:00:00", None]
    asked = {"wind": [9.0] * 4, "rain": [0.5] * 4, "weekend": [False] * 4, "carrier": ["UA"] * 4, "at": hours}
    answer = load(tmp_path).answer(asked, strict=True)
    assert answer["label"].tolist()[:3] == [0, 1, 1]
    np.testing.assert_allclose(
        answer["probability"], FRAMEWORKS[framework].load(tmp_path).predict(asked)["probability"], atol=1e-6
    )


def test_a_dropped_column_is_neither_learned_from_nor_asked_for(tmp_path: Path) -> None:
    """It is not even in the signature; where all are dropped there is nothing to learn from."""
    prepared = plan(columns={"rain": ["drop"]}, kinds={"string": ["drop"]})
    recipe = Recipe(*MODELS["sklearn"], 3, FEATURES, "late", "binary", preparation=prepared)

    saved = FRAMEWORKS["sklearn"].save(trained("sklearn", flights(), recipe), tmp_path, ABOUT)

    assert [tensor.name for tensor in saved.signature.inputs] == ["wind", "weekend", "at"]
    nothing = Recipe(
        *MODELS["sklearn"], 3, FEATURES[:1], "late", "binary", preparation=Preparation(kinds={"numeric": ["drop"]})
    )
    with pytest.raises(BadTrainingData, match="has no features"):
        trained("sklearn", flights(), nothing)


def test_steps_that_do_not_fit_the_column_are_refused_before_anything_is_fitted() -> None:
    """Also where no declaration was judged before."""
    recipe = Recipe(*MODELS["sklearn"], 3, FEATURES, "late", "binary", preparation=plan(columns={"wind": ["tf-idf"]}))

    with pytest.raises(BadEstimator, match=r"wind\[0\]: tf-idf takes text, not numbers; numbers may go to impute, "):
        trained("sklearn", flights(), recipe)


def test_a_constraint_follows_its_column_through_the_preparation(tmp_path: Path) -> None:
    """By name, whatever stands before it; what a step made several columns of cannot be held to rise."""
    path = "sklearn.ensemble.HistGradientBoostingClassifier"
    params: dict[str, Any] = {"monotonic_cst": {"wind": 1}, "max_iter": 10}
    prepared = plan(columns={"carrier": ["one-hot"], "wind": [{"impute": {"strategy": "mean"}}, "log"]})
    recipe = Recipe(path, params, 3, FEATURES, "late", "binary", preparation=prepared)

    FRAMEWORKS["sklearn"].save(trained("sklearn", flights(), recipe), tmp_path, ABOUT)

    asked = {name: [flights()[name][0]] * 50 for name in ("rain", "weekend", "carrier")}
    answer = load(tmp_path).answer({**asked, "at": ["2026-05-05T16:00"] * 50, "wind": np.linspace(0, 90, 50)})
    assert (np.diff(answer["probability"]) >= 0).all()
    wrong = Recipe(path, {"monotonic_cst": {"carrier": 1}}, 3, FEATURES, "late", "binary", preparation=prepared)
    with pytest.raises(BadEstimator, match="of which its preparation makes 3 columns"):
        trained("sklearn", flights(), wrong)
