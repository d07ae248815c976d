"""Declarations that are no good, with what every way in says of them: HTTP, an event, and the command line."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Document = dict[str, Any]

LEAST: Document = {"name": "churn", "data": {"dataset": "customers", "target": "left"}}
SGD = "sklearn.linear_model.SGDClassifier"
FOREST = "sklearn.ensemble.RandomForestClassifier"


class Bad(NamedTuple):
    """One bad declaration: what it is called, the parts that differ from the least one, and what is said of it."""

    name: str
    parts: Document
    says: str


def bad_documents() -> Iterator[tuple[Bad, Document]]:
    """Each with the whole document."""
    for bad in BAD:
        yield bad, merged(LEAST, bad.parts)


def merged(base: Mapping[str, Any], parts: Mapping[str, Any]) -> Document:
    """A document with some parts replaced, mapping by mapping."""
    both = {**base, **parts}
    return {
        name: merged(base[name], value) if isinstance(value, dict) and isinstance(base.get(name), dict) else value
        for name, value in both.items()
    }


def _training(**parts: Any) -> Document:
    return {"training": parts}


def _search(**space: Any) -> Document:
    return {"training": {"search": {"space": space}}}


def _custom(**amounts: float) -> Document:
    """Resources by name."""
    return _training(resources={"custom": amounts})


def _lightgbm(**params: Any) -> Document:
    return {"training": {"framework": "lightgbm", "params": params}}


def _xgboost(**params: Any) -> Document:
    return {"training": {"framework": "xgboost", "params": params}}


def _catboost(**params: Any) -> Document:
    return {"training": {"framework": "catboost", "params": params}}


def _torch(**params: Any) -> Document:
    return {"training": {"framework": "torch", "params": params}}


def _told(task: str, **options: Any) -> Document:
    return {"task": task, "task_options": options}


def _quantiles(**options: Any) -> Document:
    return _told("quantiles", **options)


def _gates(*gates: Document, **parts: Any) -> Document:
    return {"evaluation": {"gates": list(gates)}, **parts}


BAD: tuple[Bad, ...] = (
    # unknown names
    Bad("field", {"trainig": {}}, "trainig: unknown field; did you mean 'training'?"),
    Bad("field-inside", _training(estimater="x"), "training.estimater: unknown field; did you mean 'estimator'?"),
    Bad("field-far", {"zzz": 1}, "zzz: unknown field; known here are kind, name, task"),
    Bad("field-in-list", _gates({"metric": "f1", "at_leest": 1}), "gates[0].at_leest: unknown field; did you mean 'at"),
    Bad("framework", _training(framework="spark"), "training.framework: 'spark' is not known; known here are catboost"),
    Bad("framework-near", _training(framework="lightgmb"), "did you mean 'lightgbm'?"),
    Bad("estimator", _training(estimator="sklearn.ensemble.RandomForest"), "did you mean 'sklearn.ensemble.RandomFore"),
    Bad("estimator-short", _training(estimator="LogisticRegression"), "did you mean 'sklearn.linear_model.LogisticReg"),
    Bad("estimator-module", _training(estimator="os.system"), "training.estimator: sklearn has no estimator 'os.syste"),
    Bad("estimator-elsewhere", _training(estimator="lightgbm.LGBMClassifier"), "say `framework: lightgbm`"),
    Bad("estimator-nested", _training(estimator="sklearn.ensemble.VotingClassifier"), "needs estimators, which a decl"),
    Bad("no-probabilities", _training(estimator="sklearn.svm.LinearSVC"), "LinearSVC gives no probabilities"),
    Bad("needs-loss", _training(estimator=SGD), 'params.loss: sklearn.linear_model.SGDClassifier gives probabilities '),
    Bad("parameter", _training(params={"max_itre": 5}), "training.params.max_itre: sklearn.ensemble.HistGradientBoost"),
    Bad("parameter-near", _training(params={"max_itre": 5}), "did you mean 'max_iter'?"),
    Bad("metric", {"evaluation": {"metrics": ["auc"]}}, "evaluation.metrics[0]: 'auc' is not known; did you mean 'roc"),
    Bad("metric-far", {"evaluation": {"metrics": ["zzz"]}}, "known here are roc_auc, average_precision"),
    Bad("detector", {"monitoring": {"drift": {"method": "wasserstien"}}}, "did you mean 'wasserstein'?"),
    Bad("choice", {"risk": {"impact": "hihg"}}, "risk.impact: 'hihg' is not known; did you mean 'high'?"),
    Bad("training-on", _training(on=["newdata"]), "training.on[0]: 'newdata' is not known; did you mean 'new-data'?"),
    Bad("kind", {"kind": "Modell"}, "kind: 'Modell' is not known; did you mean 'Model'?"),
    # the task
    Bad("regressor", {"task": "binary", **_training(estimator="sklearn.linear_model.Ridge")}, "is a regressor, but"),
    Bad("classifier", {"task": "regression", **_training(estimator=FOREST)}, "name sklearn.ensemble.RandomForestRegre"),
    Bad("metric-of-regression", {"evaluation": {"metrics": ["rmse"]}}, "rmse is no metric of binary; known are roc"),
    Bad("performance-metric", {"monitoring": {"performance": {"metric": "mae", "drop": 1.0}}}, "say `task: regression"),
    Bad("positive", {"task": "regression", "data": {"positive": 1}}, "data.positive: is for binary; a regression has"),
    Bad("task", {"task": "classification"}, "task: 'classification' is not known; known here are binary, multiclass"),
    Bad("task-near", {"task": "regresion"}, "task: 'regresion' is not known; did you mean 'regression'?"),
    Bad("metric-of-binary", {"task": "multiclass", "evaluation": {"metrics": ["roc_auc"]}}, "say `task: binary`"),
    Bad("positive-of-many", {"task": "multiclass", "data": {"positive": "a"}}, "multiclass treats all labels alike"),
    # what the task is told
    Bad("option", _quantiles(quantile=[0.1, 0.9]), "quantiles has no such option; did you mean 'quantiles'?"),
    Bad("option-elsewhere", _told("binary", quantiles=[0.1, 0.9]), "not of binary; say `task: quantiles`"),
    Bad("option-nowhere", _told("binary", zzz=1), "task_options.zzz: binary has no options; leave it out"),
    Bad("option-type", _quantiles(quantiles=0.5), "task_options.quantiles: takes a list of 2 to 20 values"),
    Bad("option-few", _quantiles(quantiles=[0.5]), "task_options.quantiles: takes a list of 2 to 20 values"),
    Bad("option-range", _quantiles(quantiles=[0.1, 1.5]), "each a number above 0 below 1; not 1.5"),
    Bad("option-order", _quantiles(quantiles=[0.9, 0.1]), "task_options.quantiles: rising numbers are needed"),
    Bad("option-mapping", {"task_options": ["quantiles"]}, "task_options: should be a valid dictionary"),
    Bad("decided", {"task": "quantiles", **_training(params={"loss": "quantile"})}, "params.loss: is decided by the "),
    Bad("no-quantiles", {"task": "quantiles", **_training(estimator="sklearn.linear_model.Ridge")}, "learns no quanti"),
    Bad("option-missing", {"task": "ranking"}, "task_options.query: is missing; it is the column whose rows"),
    Bad("option-target", _told("ranking", query="left"), "task_options.query: 'left' is the target"),
    Bad("option-feature", {"data": {"features": ["q", "x"]}, **_told("ranking", query="q")}, "is in data.features, "),
    Bad("ranker", {"task": "regression", **_training(framework="lightgbm", estimator="lightgbm.LGBMRanker")},
        "LGBMRanker is a ranker, but the task is regression"),
    # values of parameters
    Bad("parameter-type", _training(params={"max_iter": "many"}), "params.max_iter: takes an integer from 1; not 'man"),
    Bad("parameter-range", _training(params={"learning_rate": -1}), "params.learning_rate: takes a number above 0; no"),
    Bad("parameter-choice", _training(params={"loss": "hinge"}), 'params.loss: takes "log_loss"; not \'hinge\''),
    Bad("parameter-nested", _training(estimator="sklearn.ensemble.AdaBoostClassifier", params={"estimator": FOREST}),
        "params.estimator: takes null"),
    Bad("lightgbm-range", _lightgbm(num_leaves=1), "params.num_leaves: takes an integer from 2 to 131072; not 1"),
    Bad("lightgbm-twice", _lightgbm(eta=0.1, learning_rate=0.2), "is another name of 'eta', which is there too"),
    Bad("lightgbm-file", _lightgbm(input_model="/etc/passwd"), "reads or writes a file on the node that trains"),
    Bad("lightgbm-network", _lightgbm(machines="10.0.0.1:80"), "LightGBM's own network"),
    Bad("lightgbm-loss", _lightgbm(objective="poisson"), "params.objective: takes"),
    Bad("xgboost-choice", _xgboost(booster="gblinear"), 'params.booster: takes "dart", "gbtree" or null'),
    Bad("xgboost-stop", _xgboost(early_stopping_rounds=5), "is said as training.early_stopping, for every framework"),
    Bad("catboost-weights", _catboost(class_weights=[1, 2]), "is said as training.class_weight, for every framework"),
    Bad("catboost-near", _catboost(iteration=5), "has no parameter 'iteration'; did you mean 'iterations'?"),
    Bad("torch-layer", _torch(layers=[64, 0]), "params.layers: takes a list, each an integer from 1 to 65536 or a map"),
    Bad("torch-layer-key", _torch(layers=[{"units": 8, "activate": "relu"}]), "a mapping of units, activation if want"),
    Bad("torch-activation", _torch(activation="rel"), 'params.activation: takes "elu", "gelu", "identity"'),
    Bad("torch-dropout", _torch(dropout=1), "params.dropout: takes a number from 0 below 1; not 1"),
    Bad("torch-near", _torch(layer=[8]), "has no parameter 'layer'; did you mean 'layers'?"),
    Bad("torch-device", _torch(device="cuda"), "params.device: device is decided by training.resources; leave it out"),
    Bad("torch-monotone", _training(framework="torch", monotone={"age": 1}), "knows no monotone constraints; name an"),
    # what is asked of any estimator
    Bad("weight-target", {"data": {"weight": "left"}}, "data.weight: 'left' is target, time or feature, too"),
    Bad("weight-feature", {"data": {"features": ["age"], "weight": "age"}}, "data.weight: 'age' is target, time or fe"),
    Bad("weights-not", {**_training(estimator="sklearn.neighbors.KNeighborsClassifier"), "data": {"weight": "w"}},
        "data.weight: sklearn.neighbors.KNeighborsClassifier does not weigh its rows"),
    Bad("class-weight", _training(class_weight={"1": -2}), "training.class_weight.1: a weight is a number from 0 on"),
    Bad("class-weight-word", _training(class_weight="equal"), "training.class_weight"),
    Bad("class-weight-number", {"task": "regression", **_training(class_weight="balanced")}, "is for labels, and task"),
    Bad("class-weight-twice", _training(params={"class_weight": "balanced"}, class_weight={"1": 2}),
        "training.class_weight: and training.params.class_weight say the same"),
    Bad("monotone", _training(monotone={"age": 2}), "training.monotone.age: is 1 (the answer rises with it)"),
    Bad("monotone-not", _training(estimator="sklearn.linear_model.LogisticRegression", monotone={"age": 1}),
        "training.monotone: sklearn.linear_model.LogisticRegression knows no monotone constraints"),
    Bad("early-stopping-not", _training(estimator=FOREST, early_stopping={}), "does not stop by rows that are kept ap"),
    Bad("early-stopping-share", _training(early_stopping={"fraction": 1}), "early_stopping.fraction: should be less"),
    Bad("early-stopping-name", _training(early_stopping={"patience": 5}), "early_stopping.patience: unknown field"),
    # searches
    Bad("search-name", _search(learning_rat={"from": 0.1, "to": 1}), "space.learning_rat: sklearn.ensemble.HistGrad"),
    Bad("search-near", _search(learning_rat={"from": 0.1, "to": 1}), "did you mean 'learning_rate'?"),
    Bad("search-range", _search(learning_rate={"from": 0, "to": 1}), "takes a number above 0; not all fro"),
    Bad("search-choice", _search(loss={"one_of": ["log_loss", "hinge"]}), 'takes "log_loss"; not \'hinge\''),
    Bad("search-form", _search(max_iter=[10, 20]), "space.max_iter: [10, 20] is no dimension; say {from: 1, to: 9}"),
    Bad("search-field", _search(max_iter={"form": 1, "to": 9}), "'form' is not known; did you mean 'from'?"),
    Bad("search-empty", _search(), "space: Dictionary should have at least 1 item"),
    Bad("search-fixed", merged(_search(max_iter={"from": 1, "to": 9}), _training(params={"max_iter": 5})),
        "space.max_iter: is fixed by training.params.max_iter, too; keep one of them"),
    Bad("search-metric", merged(_search(max_iter={"from": 1, "to": 9}), _training(search={"metric": "roc_au"})),
        "training.search.metric: 'roc_au' is not known; did you mean 'roc_auc'?"),
    Bad("search-other-metric", merged(_search(max_iter={"from": 1, "to": 9}), _training(search={"metric": "rmse"})),
        "training.search.metric: rmse is no metric of binary"),
    Bad("search-trials", merged(_search(max_iter={"from": 1, "to": 9}), _training(search={"trials": 1001})),
        "training.search.trials: should be less than or equal to 1000"),
    Bad("search-parallel", merged(_search(max_iter={"from": 1, "to": 9}), _training(search={"parallel": 0})),
        "training.search.parallel: should be greater than or equal to 1"),
    Bad("search-code", _training(code={"package": "net", "entry": "a:b"}, search={"space": {"x": {"one_of": [1, 2]}}}),
        "training.search: tries parameters of an estimator; a trial of own code"),
    # gates
    Bad("gate-empty", _gates({"metric": "roc_auc"}), "gates[0]: exactly one of at_least, at_most and beats"),
    Bad("gate-two", _gates({"metric": "f1", "at_least": 0.5, "beats": "champion"}), "exactly one of at_least"),
    Bad("gate-range", _gates({"metric": "roc_auc", "at_least": 65}), "at_least: roc_auc is never above 1; not 65"),
    Bad("gate-below", _gates({"metric": "brier", "at_most": -0.1}), "at_most: brier is never below 0"),
    Bad("gate-by", _gates({"metric": "f1", "beats": "champion", "by": 1.5}), "it never differs by 1.5"),
    Bad("gate-by-negative", _gates({"metric": "f1", "beats": "champion", "by": -0.1}), "gates[0].by: should be greate"),
    Bad("gate-by-alone", _gates({"metric": "f1", "at_least": 0.5, "by": 0.1}), "belongs to beats"),
    Bad("gate-whom", _gates({"metric": "f1", "beats": "champoin"}), "did you mean 'champion'?"),
    # columns against each other
    Bad("target-feature", {"data": {"features": ["age", "left"]}}, "data.features[1]: 'left' is the target"),
    Bad("feature-twice", {"data": {"features": ["age", "age"]}}, "data.features[1]: 'age' is there a second time"),
    Bad("features-empty", {"data": {"features": []}}, "data.features: is empty"),
    Bad("target-group", {"data": {"groups": ["left"]}}, "data.groups[0]: 'left' is the target"),
    Bad("target-context", {"data": {"context": ["left"]}}, "data.context[0]: 'left' is the target"),
    Bad("target-ignored", {"data": {"ignore": ["left"]}}, "data.ignore[0]: 'left' is the target"),
    Bad("target-time", {"data": {"time": "left"}}, "data.time: 'left' is the target"),
    Bad("feature-ignored", {"data": {"features": ["age"], "ignore": ["age"]}}, "'age' is in data.features, too"),
    Bad("feature-context", {"data": {"features": ["age"], "context": ["age"]}}, "'age' is in data.features, too"),
    Bad("column-invisible", {"data": {"features": ["a\u200bge"]}}, "U+200B"),
    Bad("column-empty", {"data": {"groups": [""]}}, "data.groups[0]: a column's name is empty"),
    # durations and schedules
    Bad("duration-plain", {"serving": {"bake": "30m"}}, "serving.bake: '30m' is no ISO 8601 duration; write PT30M"),
    Bad("duration-zero", {"approval": {"expires": "P0D"}}, "approval.expires: 'P0D' is no time at all"),
    Bad("duration-long", {"risk": {"review_every": "P99999Y"}}, "risk.review_every: 'P99999Y' is too long"),
    Bad("timeout-long", _training(timeout="P400D"), "training.timeout: a run may work for 30 days at most"),
    Bad("every-word", {"monitoring": {"every": "banana"}}, "monitoring.every: 'banana' is no schedule; write a durati"),
    Bad("every-never", {"monitoring": {"every": "never"}}, "monitoring.every: 'never' is no schedule"),
    Bad("every-zero", {"monitoring": {"every": "PT0S"}}, "monitoring.every: 'PT0S' is no time at all"),
    Bad("every-no-days", {"monitoring": {"every": "P0D"}}, "monitoring.every: 'P0D' is no time at all"),
    Bad("every-tiny", {"monitoring": {"every": "PT0.001S"}}, "monitoring.every: 'PT0.001S' is too short"),
    Bad("every-empty", {"monitoring": {"every": ""}}, "monitoring.every: '' is no schedule"),
    Bad("every-never-comes", {"monitoring": {"every": "0 0 31 2 *"}}, "monitoring.every: '0 0 31 2 *' never comes"),
    Bad("every-no-cron", {"monitoring": {"every": "99 99 * * *"}}, "'99 99 * * *' is no cron expression"),
    Bad("every-name", {"monitoring": {"every": "@dayly"}}, "did you mean '@daily'?"),
    Bad("every-plain", {"monitoring": {"every": "30m"}}, "monitoring.every: '30m' is no ISO 8601 duration; write PT30"),
    Bad("every-seconds", {"monitoring": {"every": "* * * * * *"}}, "is no schedule"),
    Bad("schedule-without", {"retraining": {"on": ["schedule"]}}, "retraining.every: is missing; schedule needs a tim"),
    Bad("schedule-unused", {"retraining": {"every": "@daily"}}, "retraining.every: has no effect without `on: [schedu"),
    Bad("schedule-bad", {"retraining": {"on": ["schedule"], "every": "30m"}}, "retraining.every: '30m' is no ISO 8601"),
    # what would have no effect
    Bad("on-performance", {"retraining": {"on": ["performance"]}}, "performance needs monitoring.performance"),
    Bad("on-fairness", {"retraining": {"on": ["fairness"]}}, "fairness needs data.groups"),
    Bad("fairness-nobody", {"monitoring": {"fairness": {}}}, "there are no groups to compare"),
    Bad("holdout-time", {"evaluation": {"holdout": {"by": "time"}}}, "evaluation.holdout.by: needs data.time"),
    Bad("word-twice", {"evaluation": {"metrics": ["f1", "f1"]}}, "evaluation.metrics[1]: 'f1' is there a second time"),
    # detectors
    Bad("detector-limit", {"monitoring": {"drift": {"threshold": 0.1}}}, "drift.threshold: needs a method"),
    Bad("detector-kind", {"monitoring": {"drift": {"numeric": {"method": "psi"}}}}, "psi does not fit numeric columns"),
    Bad("detector-p", {"monitoring": {"drift": {"method": "ks", "threshold": 3.0}}}, "is a p-value between 0 and 1"),
    Bad("detector-both", {"monitoring": {"drift": {"method": "ks", "numeric": {"method": "ks"}}}}, "exclude each othe"),
    # ranges
    Bad("steps", {"serving": {"steps": [50, 10, 100]}}, "serving.steps: rising percents that end with 100"),
    Bad("steps-open", {"serving": {"steps": [10, 50]}}, "serving.steps: rising percents that end with 100"),
    Bad("needed", {"approval": {"needed": 10**6}}, "approval.needed: should be less than or equal to 100"),
    Bad("seed", _training(seed=2**40), "training.seed: should be less than or equal to 2147483647"),
    Bad("cpus", _training(resources={"cpus": 0}), "training.resources.cpus: should be greater than 0"),
    Bad("priority-name", _training(priority="hihg"), "training.priority: 'hihg' is not known; did you mean 'high'?"),
    Bad("priority-number", _training(priority=11), "training.priority: 11 is no priority: whole numbers from -10 to"),
    Bad("priority-half", _training(priority=1.5), "training.priority"),
    Bad("custom-cpu", _custom(CPU=4), "custom.CPU: is a name of Ray's own; say training.resources.cpus"),
    Bad("custom-store", _custom(object_store_memory=1), "custom.object_store_memory: is a name of Ray's own"),
    Bad("custom-none", _custom(fpga=0), "custom.fpga: takes a number above 0, of at most 4096; not 0"),
    Bad("custom-much", _custom(fpga=5000), "custom.fpga: takes a number above 0, of at most 4096; not 5000"),
    Bad("custom-name", _custom(**{"node:a": 1}), "custom.node:a: is no name of a resource"),
    Bad("drop", {"monitoring": {"performance": {"metric": "f1", "drop": 2.0}}}, "it never differs by 2"),
    Bad("fairness-limit", {"data": {"groups": ["sex"]}, "monitoring": {"fairness": {"limit": 3.0}}}, "between 0 and 1"),
    Bad("huge-integer", _training(params={"max_iter": 2**60}), "training.params.max_iter: is a whole number beyond"),
    Bad("long-text", {"purpose": "x" * 20_000}, "purpose: is 20000 characters long; at most 10000"),
    Bad("long-list", {"data": {"ignore": ["x"] * 10_001}}, "data.ignore: has 10001 entries"),
    # types
    Bad("name", {"name": "churn", "data": {"dataset": "Our Customers"}}, "data.dataset: lower-case letters, digits"),
    Bad("number-as-text", {"approval": {"needed": "2"}}, "approval.needed: should be a valid integer, not '2'"),
    Bad("null-part", {"training": None}, "training: "),
    # the data's own contract
    Bad("contract-twice", {"data": {"contract": {"columns": [
        {"name": "left", "type": "boolean", "nullable": False}] * 2}}},
        "data.contract.columns[1].name: 'left' is there a second time"),
    Bad("contract-limits", {"data": {"contract": {"columns": [
        {"name": "left", "type": "boolean", "nullable": False},
        {"name": "age", "type": "integer", "nullable": False, "minimum": 5.0, "maximum": 1.0}]}}},
        "columns[1].minimum: 5 is above the maximum, 1"),
    Bad("contract-group", {"data": {"groups": ["Gender"], "contract": {"columns": [
        {"name": "left", "type": "boolean", "nullable": False},
        {"name": "gender", "type": "string", "nullable": False}]}}},
        "data.groups[0]: dataset 'customers' has no column 'Gender'; did you mean 'gender'?"),
)  # fmt: skip
