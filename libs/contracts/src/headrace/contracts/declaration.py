"""Reading declarations: YAML or JSON from people, with errors that name the place and the nearest right name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from headrace.contracts.errors import ContractError, explain, path
from headrace.contracts.generated.models import Declaration, Evaluation, Gate
from headrace.contracts.metrics import METRICS, USUAL

ESTIMATORS: Mapping[tuple[str, str], str] = {
    ("sklearn", "classification"): "sklearn.ensemble.HistGradientBoostingClassifier",
    ("sklearn", "regression"): "sklearn.ensemble.HistGradientBoostingRegressor",
    ("lightgbm", "classification"): "lightgbm.LGBMClassifier",
    ("lightgbm", "regression"): "lightgbm.LGBMRegressor",
}


def parse_declaration(source: bytes | str | Mapping[str, Any]) -> Declaration:
    """A declaration with its defaults filled in; raises ContractError with every wrong place.

    `source` is YAML, JSON, or the parsed document. An unknown field is answered with the nearest known one, an
    unknown metric with the known ones.
    """
    document = _document(source)
    _refuse_unknown(document)
    try:
        declared = Declaration.model_validate(document)
    except ValidationError as error:
        raise ContractError(explain(error)) from error
    _check(declared)
    return _filled(declared)


class _Yaml(yaml.SafeLoader):
    """YAML 1.2's booleans: `on`, `yes` and `off` are words, not truth values (`training.on` is a key).

    And its mappings: a key stands there once. PyYAML would keep the last one, without a word.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Raises ContractError where a key is there twice."""
        seen = set[str]()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise ContractError(f"line {key.start_mark.line + 1}: {key.value!r} is there a second time")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Yaml.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load_yaml(source: bytes | str) -> Any:
    """A YAML (or JSON) document with YAML 1.2's booleans; raises ContractError where it is neither or doubles a key."""
    try:
        return yaml.load(source, Loader=_Yaml)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ContractError(f"neither YAML nor JSON: {error}") from error


def _document(source: bytes | str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(source, Mapping):
        return dict(source)
    document = load_yaml(source)
    if not isinstance(document, dict):
        raise ContractError("a declaration is a mapping with at least name and data: {dataset, target}")
    return document


def _refuse_unknown(document: Mapping[str, Any]) -> None:
    unknown = list(_unknown(document, Declaration, ()))
    if unknown:
        raise ContractError("; ".join(unknown))


def _unknown(document: Mapping[str, Any], model: type[BaseModel], at: tuple[object, ...]) -> Iterator[str]:
    known = list(model.model_fields)
    for name, value in document.items():
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known here are {', '.join(known)}"
            yield f"{path([*at, str(name)])}: unknown field; {hint}"
        else:
            yield from _unknown_inside(value, model.model_fields[name], (*at, name))


def _unknown_inside(value: Any, field: FieldInfo, at: tuple[object, ...]) -> Iterator[str]:
    inner = _model_in(field.annotation)
    if inner is None:
        return
    for place, each in enumerate(value) if isinstance(value, list) else [(None, value)]:
        if isinstance(each, Mapping):
            yield from _unknown(each, inner, at if place is None else (*at, place))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, directly, in a list or optionally."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for each in get_args(annotation) if (model := _model_in(each))), None)


def _check(declared: Declaration) -> None:
    """What a JSON schema cannot say."""
    problems = [*_steps(declared), *_metrics(declared)]
    problems += [problem for place, gate in enumerate(declared.evaluation.gates) for problem in _gate(place, gate)]
    if problems:
        raise ContractError("; ".join(problems))


def _steps(declared: Declaration) -> Iterator[str]:
    steps = declared.serving.steps
    if steps != sorted(set(steps)) or steps[-1] != 100 or steps[0] < 1:
        yield f"serving.steps: rising percents that end with 100 are needed, not {steps}"


def _metrics(declared: Declaration) -> Iterator[str]:
    watched = declared.monitoring.performance
    named = [("evaluation.metrics", name) for name in declared.evaluation.metrics]
    named += [("monitoring.performance.metric", watched.metric)] if watched else []
    named += [(f"evaluation.gates[{at}].metric", gate.metric) for at, gate in enumerate(declared.evaluation.gates)]
    fitting = [name for name, info in METRICS.items() if info.task == declared.task]
    for place, name in named:
        if name not in fitting:
            yield f"{place}: {name} is no metric of {declared.task}; known are {', '.join(fitting)}"


def _gate(place: int, gate: Gate) -> Iterator[str]:
    limits = [limit for limit in (gate.at_least, gate.at_most, gate.beats) if limit is not None]
    if len(limits) != 1:
        yield f"evaluation.gates[{place}]: exactly one of at_least, at_most and beats is needed"


def _filled(declared: Declaration) -> Declaration:
    """Defaults that depend on other parts: metrics by task, gates, holdout by the time column, the usual estimator."""
    evaluation = declared.evaluation
    holdout = evaluation.holdout
    filled = evaluation.model_copy(
        update={
            "metrics": _all_metrics(declared, evaluation),
            "gates": _gates(declared, evaluation),
            "holdout": holdout.model_copy(update={"by": holdout.by or ("time" if declared.data.time else "random")}),
        }
    )
    usual = ESTIMATORS.get((declared.training.framework, declared.task))
    training = declared.training.model_copy(update={"estimator": declared.training.estimator or usual})
    return declared.model_copy(update={"evaluation": filled, "training": training})


def _gates(declared: Declaration, evaluation: Evaluation) -> list[Gate]:
    """What is declared, also where that is none; else that a version replaces the champion only if it is better."""
    if "gates" in evaluation.model_fields_set:
        return evaluation.gates
    first = evaluation.metrics[0] if evaluation.metrics else USUAL[declared.task][0]
    return [Gate.model_validate({"metric": first, "beats": "champion"})]


def _all_metrics(declared: Declaration, evaluation: Evaluation) -> list[Any]:
    """The metrics to compute, and those that gates and monitoring need."""
    watched = declared.monitoring.performance
    wanted: Sequence[str] = evaluation.metrics or USUAL[declared.task]
    needed: list[str] = [*(gate.metric for gate in evaluation.gates), *([watched.metric] if watched else [])]
    return list(dict.fromkeys([*wanted, *needed]))
