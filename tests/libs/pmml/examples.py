"""PMML documents of each element, written here, in the style of the standard."""
# ruff: noqa: E501 (XML reads worse where it is broken)

from collections.abc import Mapping, Sequence

Fields = Mapping[str, str]
"""The type of each field: `double`, `string a b c` with its values, `string*` with any."""


def pmml(
    fields: Fields, model: str, transformations: str = "", version: str = "4.4", extra: Mapping[str, str] | None = None
) -> str:
    """A document around a model."""
    space = "http://www.dmg.org/PMML-" + "_".join(version.split(".")[:2])
    dictionary = "".join(_field(name, kind, (extra or {}).get(name, "")) for name, kind in fields.items())
    shared = f"<TransformationDictionary>{transformations}</TransformationDictionary>" if transformations else ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<PMML xmlns="{space}" version="{version}">\n<Header/>\n'
        f"<DataDictionary>\n{dictionary}</DataDictionary>\n{shared}\n{model}\n</PMML>\n"
    )


def _field(name: str, told: str, inner: str) -> str:
    kind, *values = told.split()
    kind, optype = kind.rstrip("*"), "continuous"
    if kind in ("string", "boolean") or values:
        optype = "categorical"
    listed = "".join(f'<Value value="{value}"/>' for value in values)
    return f'<DataField name="{name}" optype="{optype}" dataType="{kind}">{listed}{inner}</DataField>\n'


def schema(active: Sequence[str], target: str | None = "y", told: Mapping[str, str] | None = None) -> str:
    """A mining schema; `told` has more attributes of some fields."""
    fields = "".join(f'<MiningField name="{name}" {(told or {}).get(name, "")}/>' for name in active)
    aim = f'<MiningField name="{target}" usageType="target"/>' if target else ""
    return f"<MiningSchema>{fields}{aim}</MiningSchema>"


def simple(field: str, operator: str, value: object = None) -> str:
    """A simple predicate."""
    told = "" if value is None else f' value="{value}"'
    return f'<SimplePredicate field="{field}" operator="{operator}"{told}/>'


def among(field: str, operator: str, *values: str, kind: str = "string") -> str:
    """A set predicate."""
    array = " ".join(f'"{value}"' if " " in value else value for value in values)
    return f'<SimpleSetPredicate field="{field}" booleanOperator="{operator}"><Array type="{kind}" n="{len(values)}">{array}</Array></SimpleSetPredicate>'


def compound(operator: str, *parts: str) -> str:
    """A compound predicate."""
    return f'<CompoundPredicate booleanOperator="{operator}">{"".join(parts)}</CompoundPredicate>'


def node(
    predicate: str, *children: str, score: object = None, counts: Mapping[str, float] | None = None, **more: object
) -> str:
    """A node of a tree."""
    told = {"score": score, **more}
    attributes = "".join(f' {name}="{value}"' for name, value in told.items() if value is not None)
    shares = "".join(f'<ScoreDistribution value="{v}" recordCount="{c}"/>' for v, c in (counts or {}).items())
    return f"<Node{attributes}>{predicate}{shares}{''.join(children)}</Node>"


def tree(
    function: str, fields: Sequence[str], root: str, inner: str = "", target: str | None = "y", **attributes: object
) -> str:
    """A tree model."""
    told = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<TreeModel functionName="{function}"{told}>{schema(fields, target)}{inner}{root}</TreeModel>'


def segment(model: str, predicate: str = "<True/>", weight: float | None = None, id: object = None) -> str:
    """A segment of a mining model."""
    told = ("" if weight is None else f' weight="{weight}"') + ("" if id is None else f' id="{id}"')
    return f"<Segment{told}>{predicate}{model}</Segment>"


def mining(function: str, method: str, fields: Sequence[str], *segments: str, inner: str = "", told: str = "") -> str:
    """A mining model."""
    return (
        f'<MiningModel functionName="{function}">{schema(fields)}{inner}'
        f'<Segmentation multipleModelMethod="{method}"{told}>{"".join(segments)}</Segmentation></MiningModel>'
    )


def output(name: str, feature: str, kind: str = "string", inner: str = "", **more: object) -> str:
    """An output field."""
    told = "".join(f' {key}="{value}"' for key, value in more.items())
    optype = "categorical" if kind in ("string", "boolean") else "continuous"
    return f'<OutputField name="{name}" feature="{feature}" optype="{optype}" dataType="{kind}"{told}>{inner}</OutputField>'


def outputs(*fields: str) -> str:
    """The output element."""
    return f"<Output>{''.join(fields)}</Output>"


def numeric(name: str, coefficient: float, exponent: int = 1) -> str:
    """A term of a regression table."""
    return f'<NumericPredictor name="{name}" coefficient="{coefficient}" exponent="{exponent}"/>'


def regression(function: str, fields: Sequence[str], *tables: str, method: str = "none", inner: str = "") -> str:
    """A regression model."""
    return (
        f'<RegressionModel functionName="{function}" normalizationMethod="{method}">{schema(fields)}{inner}'
        f"{''.join(tables)}</RegressionModel>"
    )


def table(intercept: float, *terms: str, label: str | None = None) -> str:
    """A regression table."""
    told = "" if label is None else f' targetCategory="{label}"'
    return f'<RegressionTable intercept="{intercept}"{told}>{"".join(terms)}</RegressionTable>'


def derived(name: str, expression: str, kind: str = "double", optype: str | None = None) -> str:
    """A derived field."""
    usual = "categorical" if kind in ("string", "boolean") else "continuous"
    return f'<DerivedField name="{name}" optype="{optype or usual}" dataType="{kind}">{expression}</DerivedField>'


def apply(function: str, *arguments: str, **more: str) -> str:
    """A function of some expressions."""
    told = "".join(f' {name}="{value}"' for name, value in more.items())
    return f'<Apply function="{function}"{told}>{"".join(arguments)}</Apply>'


def ref(field: str) -> str:
    """A field."""
    return f'<FieldRef field="{field}"/>'


def sure(field: str) -> str:
    """A number, or another one where it is missing."""
    return apply("max", ref(field), const(-1e9))


def known(field: str) -> str:
    """A text, or another one where it is missing."""
    return f'<FieldRef field="{field}" mapMissingTo="Nothing  "/>'


def const(value: object, kind: str = "double") -> str:
    """A constant."""
    return f'<Constant dataType="{kind}">{value}</Constant>'


NUMBERS = {"a": "double", "b": "double", "c": "string red green blue", "y": "double"}
LABELS = {"a": "double", "b": "double", "c": "string red green blue", "y": "string no yes"}
THREE = {**LABELS, "y": "string low middle high"}
ABC = ("a", "b", "c")

_COLOURED = (
    numeric("a", 0.3),
    numeric("b", -1.25, 2),
    '<CategoricalPredictor name="c" value="red" coefficient="1.5"/>',
    '<CategoricalPredictor name="c" value="blue" coefficient="-0.75"/>',
    '<PredictorTerm coefficient="0.125"><FieldRef field="a"/><FieldRef field="b"/></PredictorTerm>',
)


def _two(method: str) -> str:
    tables = (table(0.2, numeric("a", 0.7), numeric("b", -0.4), label="yes"), table(0.0, label="no"))
    return pmml(LABELS, regression("classification", ("a", "b"), *tables, method=method))


def _several(method: str) -> str:
    tables = [
        table(i / 4, numeric("a", 0.3 * i), numeric("b", 0.1 - 0.2 * i), label=label)
        for i, label in enumerate(("low", "middle", "high"))
    ]
    return pmml(THREE, regression("classification", ("a", "b"), *tables, method=method))


REGRESSIONS = {
    "terms": pmml(NUMBERS, regression("regression", ABC, table(2.5, *_COLOURED))),
    **{
        f"regression {method}": pmml(
            NUMBERS,
            regression("regression", ("a", "b"), table(0.1, numeric("a", 0.02), numeric("b", 0.01)), method=method),
        )
        for method in ("softmax", "logit", "exp", "cloglog", "loglog", "probit", "cauchit")
    },
    **{f"two labels {m}": _two(m) for m in ("logit", "softmax", "probit", "cloglog", "loglog", "cauchit", "none")},
    **{f"three labels {m}": _several(m) for m in ("softmax", "logit", "none", "simplemax")},
    "whole numbers as labels": pmml(
        {"a": "double", "y": "integer 0 1"},
        regression(
            "classification", ("a",), table(0.5, numeric("a", 1.0), label="1"), table(0, label="0"), method="logit"
        ),
        version="4.1",
    ),
    "truth values as labels": pmml(
        {"a": "double", "t": "boolean", "y": "boolean true false"},
        regression(
            "classification",
            ("a", "t"),
            table(
                0.5, numeric("a", 1.0), '<CategoricalPredictor name="t" value="true" coefficient="0.5"/>', label="true"
            ),
            table(0, label="false"),
            method="logit",
        ),
    ),
    "single precision": pmml(
        {"a": "float", "y": "double"}, regression("regression", ("a",), table(0.1, numeric("a", 0.1)))
    ),
    "ordinal": pmml(
        THREE,
        regression(
            "classification",
            ("a", "b"),
            *(table(i - 1, numeric("a", 0.5), label=v) for i, v in enumerate(("low", "middle", "high"))),
            method="logit",
        ),
    ).replace('name="y" optype="categorical"', 'name="y" optype="ordinal"'),
}


def _general(kind: str, function: str, cells: str, told: str = "", fields: Fields = NUMBERS) -> str:
    parameters = "".join(f'<Parameter name="{name}"/>' for name in ("p0", "p1", "p2", "p3", "p4"))
    model = (
        f'<GeneralRegressionModel modelType="{kind}" functionName="{function}" {told}>{schema(ABC)}'
        f"<ParameterList>{parameters}</ParameterList>"
        '<FactorList><Predictor name="c"/></FactorList><CovariateList><Predictor name="a"/><Predictor name="b"/></CovariateList>'
        '<PPMatrix><PPCell value="1" predictorName="a" parameterName="p1"/><PPCell value="2" predictorName="b" parameterName="p2"/>'
        '<PPCell value="red" predictorName="c" parameterName="p3"/>'
        '<PPCell value="blue" predictorName="c" parameterName="p4"/><PPCell value="1" predictorName="a" parameterName="p4"/></PPMatrix>'
        f"<ParamMatrix>{cells}</ParamMatrix></GeneralRegressionModel>"
    )
    return pmml(fields, model)


def _cells(*betas: float, label: str | None = None) -> str:
    told = "" if label is None else f' targetCategory="{label}"'
    return "".join(f'<PCell{told} parameterName="p{at}" beta="{beta}" df="1"/>' for at, beta in enumerate(betas))


_BETAS = (0.4, 0.02, -0.01, 0.3, -0.05)
GENERAL = {
    "general linear": _general("generalLinear", "regression", _cells(*_BETAS)),
    "plain regression": _general("regression", "regression", _cells(*_BETAS)),
    **{
        f"link {link}": _general("generalizedLinear", "regression", _cells(*_BETAS), f'linkFunction="{link}"')
        for link in ("identity", "log", "logit", "probit", "cloglog", "loglog", "logc")
    },
    "link power": _general(
        "generalizedLinear", "regression", _cells(*_BETAS), 'linkFunction="power" linkParameter="3"'
    ),
    "link oddspower": _general(
        "generalizedLinear", "regression", _cells(*_BETAS), 'linkFunction="oddspower" linkParameter="0.5"'
    ),
    "link negbin": _general(
        "generalizedLinear", "regression", _cells(*_BETAS), 'linkFunction="negbin" distParameter="0.5"'
    ),
    "offset and trials": _general(
        "generalizedLinear", "regression", _cells(*_BETAS), 'linkFunction="logit" offsetValue="0.25" trialsValue="10"'
    ),
    "offset by field": _general(
        "generalizedLinear", "regression", _cells(*_BETAS), 'linkFunction="log" offsetVariable="a"'
    ),
    "multinomial": _general(
        "multinomialLogistic",
        "classification",
        _cells(*_BETAS, label="low") + _cells(0.1, 0.2, 0.001, -0.4, 0.3, label="middle"),
        'targetReferenceCategory="high"',
        THREE,
    ),
    "ordinal multinomial": _general(
        "ordinalMultinomial",
        "classification",
        '<PCell targetCategory="low" parameterName="p0" beta="-0.5"/><PCell targetCategory="middle" parameterName="p0" beta="0.75"/>'
        + "".join(f'<PCell parameterName="p{at}" beta="{beta}"/>' for at, beta in enumerate(_BETAS) if at),
        'targetReferenceCategory="high" cumulativeLink="logit"',
        THREE,
    ),
    "generalized two labels": _general(
        "generalizedLinear",
        "classification",
        _cells(*_BETAS, label="yes"),
        'linkFunction="logit" targetReferenceCategory="no"',
        LABELS,
    ),
}

_NO, _YES, _EVEN = {"no": 8, "yes": 2}, {"no": 1, "yes": 9}, {"no": 5, "yes": 4}


def _grown(strategy: str, **more: object) -> str:
    root = node(
        "<True/>",
        node(
            simple("a", "lessOrEqual", 0.1),
            node(simple("b", "lessThan", -1), score="no", counts=_NO, id="3"),
            node(simple("b", "greaterOrEqual", -1), score="yes", counts=_YES, id="4"),
            id="2",
            defaultChild="4",
            score="no",
            counts=_EVEN,
        ),
        node(
            simple("a", "greaterThan", 0.1),
            node(among("c", "isIn", "red", "green"), score="yes", counts=_YES, id="6"),
            node(simple("c", "equal", "blue"), score="no", counts=_NO, id="7"),
            id="5",
            defaultChild="7",
            score="yes",
            counts=_EVEN,
        ),
        id="1",
        defaultChild="5",
        score="no",
        counts=_EVEN,
    )
    inner = outputs(output("node", "entityId"))
    return pmml(LABELS, tree("classification", ABC, root, inner, missingValueStrategy=strategy, **more))


def _numbered(*children: str, **told: object) -> str:
    return pmml(NUMBERS, tree("regression", ABC, node("<True/>", *children, score=1.5, id="r"), **told))


TREES = {
    **{
        f"tree {strategy}": _grown(strategy)
        for strategy in ("none", "lastPrediction", "nullPrediction", "defaultChild")
    },
    "tree last where no child is true": _grown("none", noTrueChildStrategy="returnLastPrediction"),
    "regression tree of many branches": _numbered(
        node(simple("a", "lessThan", -0.5), score=-1),
        node(simple("a", "equal", 0.25), score=0.25),
        node(
            simple("b", "notEqual", 2),
            node(simple("c", "isMissing"), score=7),
            node(simple("c", "isNotMissing"), score=8),
            score=9,
        ),
        node("<True/>", score=3),
    ),
    "compound predicates": _numbered(
        node(compound("and", simple("a", "lessThan", 0), simple("b", "greaterThan", 0)), score=1),
        node(compound("or", simple("a", "greaterThan", 2), simple("c", "equal", "red")), score=2),
        node(compound("xor", simple("a", "greaterThan", 1), simple("b", "greaterThan", 1)), score=3),
        node(compound("surrogate", simple("b", "lessThan", -1), among("c", "isNotIn", "green"), "<False/>"), score=4),
        noTrueChildStrategy="returnLastPrediction",
    ),
    "single precision tree": pmml(
        {"a": "float", "y": "double"},
        tree(
            "regression",
            ("a",),
            node(
                "<True/>",
                node(simple("a", "lessOrEqual", 0.1), score=1),
                node(simple("a", "greaterThan", 0.1), score=2),
            ),
        ),
    ),
    "labels without shares": pmml(
        THREE,
        tree(
            "classification",
            ("a",),
            node(
                "<True/>",
                node(simple("a", "lessThan", 0), score="low"),
                node(simple("a", "lessThan", 1), score="middle"),
                node("<True/>", score="high"),
            ),
        ),
    ),
    "labels of three": pmml(
        THREE,
        tree(
            "classification",
            ("a", "b"),
            node(
                "<True/>",
                node(simple("a", "lessThan", 0), score="low", counts={"low": 7, "middle": 2, "high": 1}),
                node(simple("b", "lessThan", 1), score="middle", counts={"low": 1, "middle": 5, "high": 4}),
                node("<True/>", score="high", counts={"high": 6, "low": 3}),
            ),
        ),
    ),
}


def _stump(at: float, low: float, high: float, field: str = "a", target: str | None = "y") -> str:
    children = (node(simple(field, "lessOrEqual", at), score=low), node(simple(field, "greaterThan", at), score=high))
    return tree("regression", ("a", "b"), node("<True/>", *children), target=target)


def _voter(at: float, low: Mapping[str, float], high: Mapping[str, float], field: str = "a", **told: object) -> str:
    best = [max(each, key=each.__getitem__) for each in (low, high)]
    children = (
        node(simple(field, "lessOrEqual", at), score=best[0], counts=low),
        node(simple(field, "greaterThan", at), score=best[1], counts=high),
    )
    return tree("classification", ("a", "b"), node("<True/>", *children), **told)


_POINTS: Sequence[tuple[tuple[float, float, float, str], float]] = (
    ((0.0, 1.5, -2.0, "a"), 0.5),
    ((0.5, 3.0, 4.25, "b"), 2.0),
    ((-1.0, 0.0, 10.0, "a"), 1.0),
)
_STUMPS = [segment(_stump(*each), weight=weight) for each, weight in _POINTS]
_INNER = [segment(_stump(*each, target=None)) for each, _ in _POINTS]
_VOTERS = [
    segment(_voter(at, low, high, field), weight=w)
    for at, low, high, field, w in (
        (0.0, {"low": 6, "middle": 3, "high": 1}, {"middle": 5, "high": 4, "low": 1}, "a", 1.0),
        (0.5, {"high": 7, "low": 2, "middle": 1}, {"low": 5, "high": 4, "middle": 1}, "b", 1.5),
        (1.0, {"middle": 9, "low": 1}, {"high": 9, "low": 1}, "a", 0.5),
    )
]
_LINE = regression("regression", ("a", "b"), table(1.0, numeric("a", 2.0), numeric("b", -1.0)))
ENSEMBLES = {
    **{
        f"{method} of trees": pmml(NUMBERS, mining("regression", method, ("a", "b"), *_STUMPS))
        for method in ("sum", "average", "weightedAverage", "weightedSum", "median")
    },
    **{
        f"{method} of labels": pmml(THREE, mining("classification", method, ("a", "b"), *_VOTERS))
        for method in ("majorityVote", "weightedMajorityVote", "average", "weightedAverage")
    },
    "average of different models": pmml(
        NUMBERS, mining("regression", "average", ("a", "b"), _STUMPS[0], segment(_LINE))
    ),
    "segments for some rows": pmml(
        NUMBERS,
        mining(
            "regression",
            "sum",
            ("a", "b"),
            segment(_stump(0.0, 1.0, 2.0), simple("b", "greaterThan", 0)),
            segment(_stump(0.5, 4.0, 8.0), simple("b", "lessOrEqual", 1)),
        ),
    ),
    **{
        f"missing predictions {treatment}": pmml(
            NUMBERS,
            mining(
                "regression",
                "average",
                ("a", "b"),
                *_STUMPS,
                told=f' missingPredictionTreatment="{treatment}" missingThreshold="0.5"',
            ),
        )
        for treatment in ("continue", "skipSegment", "returnMissing")
    },
    **{
        f"skipped segments within {most}": pmml(
            NUMBERS,
            mining(
                "regression",
                "average",
                ("a", "b"),
                *_STUMPS,
                told=f' missingPredictionTreatment="skipSegment" missingThreshold="{most}"',
            ),
        )
        for most in (0.2, 0.4, 0.7, 1)
    },
    "select first": pmml(
        NUMBERS,
        mining(
            "regression",
            "selectFirst",
            ABC,
            segment(_LINE, simple("c", "equal", "red")),
            segment(_stump(0.5, 4.0, 8.0), simple("a", "greaterThan", 0)),
            segment(_stump(0.5, -4.0, -8.0, "b")),
        ),
    ),
    "select first of labels": pmml(
        LABELS,
        mining(
            "classification",
            "selectFirst",
            ABC,
            segment(_voter(0.0, _NO, _YES), simple("c", "equal", "red")),
            segment(
                regression(
                    "classification",
                    ("a", "b"),
                    table(0.2, numeric("a", 0.7), label="yes"),
                    table(0, label="no"),
                    method="logit",
                )
            ),
        ),
    ),
    "chain": pmml(
        LABELS,
        mining(
            "classification",
            "modelChain",
            ("a", "b"),
            segment(
                '<MiningModel functionName="regression">'
                + schema(("a", "b"), None)
                + outputs(output("raw", "predictedValue", "double", isFinalResult="false"))
                + f'<Segmentation multipleModelMethod="sum">{"".join(_INNER)}</Segmentation></MiningModel>'
            ),
            segment(
                regression(
                    "classification",
                    ("raw",),
                    table(-0.5, numeric("raw", 0.3), label="yes"),
                    table(0, label="no"),
                    method="logit",
                )
            ),
        ),
    ),
    "chain with a label between": pmml(
        {**LABELS, "y": "double"},
        mining(
            "regression",
            "modelChain",
            ("a", "b"),
            segment(
                tree(
                    "classification",
                    ("a",),
                    node("<True/>", node(simple("a", "lessThan", 0), score="left"), node("<True/>", score="right")),
                    outputs(output("side", "predictedValue")),
                    target=None,
                )
            ),
            segment(
                f'<RegressionModel functionName="regression">{schema(("side", "b"))}'
                + table(1, numeric("b", 2), '<CategoricalPredictor name="side" value="left" coefficient="-5"/>')
                + "</RegressionModel>"
            ),
        ),
    ),
}


def _characteristic(
    name: str, reason: str, *attributes: tuple[str, object, str | None], baseline: float | None = None
) -> str:
    told = "" if baseline is None else f' baselineScore="{baseline}"'
    inner = "".join(
        f'<Attribute partialScore="{points}"{"" if own is None else f" reasonCode={own!r}"}>{predicate}</Attribute>'.replace(
            "'", '"'
        )
        for predicate, points, own in attributes
    )
    return f'<Characteristic name="{name}" reasonCode="{reason}"{told}>{inner}</Characteristic>'


_CARD = (
    _characteristic(
        "age",
        "young",
        (simple("a", "isMissing"), 5, None),
        (simple("a", "lessThan", 0), 10, None),
        (simple("a", "lessThan", 1), 25, None),
        ("<True/>", 40, None),
        baseline=30,
    ),
    _characteristic(
        "debt",
        "owing",
        (compound("and", simple("b", "greaterThan", 0), simple("b", "lessOrEqual", 2)), 15, None),
        (simple("b", "greaterThan", 2), -20, "deeply owing"),
        ("<True/>", 33.5, None),
        baseline=28,
    ),
    _characteristic(
        "colour",
        "colour",
        (among("c", "isIn", "red", "blue"), 12, None),
        (simple("c", "equal", "green"), 30, "green"),
        ("<True/>", 3, None),
        baseline=20,
    ),
)


def _card(told: str, *characteristics: str, inner: str = "") -> str:
    return pmml(
        NUMBERS,
        f'<Scorecard functionName="regression" initialScore="100" {told}>{schema(ABC)}{inner}'
        f"<Characteristics>{''.join(characteristics)}</Characteristics></Scorecard>",
    )


_REASONS = outputs(
    output("score", "predictedValue", "double"),
    *(output(f"reason{rank}", "reasonCode", rank=rank) for rank in (1, 2, 3)),
)
SCORECARDS = {
    "points below": _card('useReasonCodes="true" reasonCodeAlgorithm="pointsBelow"', *_CARD, inner=_REASONS),
    "points above": _card('useReasonCodes="true" reasonCodeAlgorithm="pointsAbove"', *_CARD, inner=_REASONS),
    "without reasons": _card('useReasonCodes="false"', *_CARD),
    "one reason twice": _card(
        'useReasonCodes="true" reasonCodeAlgorithm="pointsBelow" baselineScore="20"',
        _characteristic("one", "shared", (simple("a", "lessThan", 0), 5, None), ("<True/>", 18, None)),
        _characteristic("two", "shared", (simple("b", "lessThan", 0), 12, None), ("<True/>", 25, None)),
        _characteristic("three", "other", (simple("c", "equal", "red"), 2, None), ("<True/>", 20, None)),
        inner=_REASONS,
    ),
    "computed points": _card(
        'useReasonCodes="false"',
        '<Characteristic name="age"><Attribute><SimplePredicate field="a" operator="greaterThan" value="0"/>'
        f"<ComplexPartialScore>{apply('+', const(3), apply('*', const(0.5), ref('a')))}</ComplexPartialScore></Attribute>"
        '<Attribute partialScore="2"><True/></Attribute></Characteristic>',
    ),
}


def _neuron(id: str, bias: float, *weights: tuple[str, float]) -> str:
    links = "".join(f'<Con from="{source}" weight="{weight}"/>' for source, weight in weights)
    return f'<Neuron id="{id}" bias="{bias}">{links}</Neuron>'


def _input(id: str, expression: str) -> str:
    return f'<NeuralInput id="{id}"><DerivedField optype="continuous" dataType="double">{expression}</DerivedField></NeuralInput>'


_SCALED = '<NormContinuous field="a"><LinearNorm orig="-2" norm="0"/><LinearNorm orig="3" norm="1"/></NormContinuous>'
_NET_INPUTS = (
    "<NeuralInputs>"
    + _input("i1", _SCALED)
    + _input("i2", ref("b"))
    + _input("i3", '<NormDiscrete field="c" value="red"/>')
    + "</NeuralInputs>"
)
_HIDDEN = _neuron("h1", 0.1, ("i1", 0.5), ("i2", -0.25), ("i3", 1.0)) + _neuron(
    "h2", -0.3, ("i1", -0.4), ("i2", 0.6), ("i3", 0.2)
)


def _network(activation: str, told: str = "") -> str:
    target = '<NormContinuous field="y"><LinearNorm orig="-100000000" norm="-10000000"/><LinearNorm orig="0" norm="1"/><LinearNorm orig="100000000" norm="10000000"/></NormContinuous>'
    return pmml(
        NUMBERS,
        f'<NeuralNetwork functionName="regression" activationFunction="{activation}" {told}>{schema(ABC)}{_NET_INPUTS}'
        f"<NeuralLayer>{_HIDDEN}</NeuralLayer>"
        f'<NeuralLayer activationFunction="identity">{_neuron("o", 0.05, ("h1", 1.5), ("h2", -0.75))}</NeuralLayer>'
        f'<NeuralOutputs><NeuralOutput outputNeuron="o"><DerivedField optype="continuous" dataType="double">{target}</DerivedField>'
        "</NeuralOutput></NeuralOutputs></NeuralNetwork>",
    )


def _labelled(normalization: str, skip: bool = False) -> str:
    more = (("i2", 0.3),) if skip else ()
    last = "".join(_neuron(f"o{at}", 0.1 * at, ("h1", 0.5 - at), ("h2", 0.25 * at), *more) for at in range(3))
    told = "".join(
        f'<NeuralOutput outputNeuron="o{at}"><DerivedField optype="categorical" dataType="string">'
        f'<NormDiscrete field="y" value="{value}"/></DerivedField></NeuralOutput>'
        for at, value in enumerate(("low", "middle", "high"))
    )
    return pmml(
        THREE,
        f'<NeuralNetwork functionName="classification" activationFunction="tanh">{schema(ABC)}{_NET_INPUTS}'
        f"<NeuralLayer>{_HIDDEN}</NeuralLayer>"
        f'<NeuralLayer activationFunction="logistic" normalizationMethod="{normalization}">{last}</NeuralLayer>'
        f"<NeuralOutputs>{told}</NeuralOutputs></NeuralNetwork>",
    )


NETWORKS = {
    **{
        f"activation {name}": _network(name, 'threshold="0.1"' if name == "threshold" else "")
        for name in ("threshold", "logistic", "tanh", "identity", "exponential", "reciprocal", "square", "Gauss", "sine",
                     "cosine", "Elliott", "arctan", "rectifier")
    },
    "radial basis": _network("radialBasis", 'width="1.5" altitude="1.2"'),
    "softmax": _labelled("softmax"),
    "simplemax": _labelled("simplemax"),
    "over a layer": _labelled("softmax", skip=True),
}  # fmt: skip

_BINS = (
    '<Discretize field="a" mapMissingTo="none" defaultValue="far"><DiscretizeBin binValue="near"><Interval closure="openClosed" '
    'leftMargin="-1" rightMargin="0"/></DiscretizeBin><DiscretizeBin binValue="middle"><Interval closure="openOpen" leftMargin="0" '
    'rightMargin="2"/></DiscretizeBin><DiscretizeBin binValue="low"><Interval closure="closedClosed" rightMargin="-1"/></DiscretizeBin></Discretize>'
)


def _rows(*rows: str) -> str:
    cells = "".join(
        f"<row>{''.join(f'<{k}>{v}</{k}>' for k, v in (pair.split('=') for pair in row.split()))}</row>" for row in rows
    )
    return f"<InlineTable>{cells}</InlineTable>"


_MAPPED = (
    '<MapValues outputColumn="out" defaultValue="-1" mapMissingTo="-2" dataType="double"><FieldColumnPair field="c" column="colour"/>'
    '<FieldColumnPair field="bin" column="range"/>'
    + _rows("colour=red range=near out=1", "colour=red range=far out=2", "colour=blue range=far out=3.5")
    + "</MapValues>"
)


def _norm(outliers: str) -> str:
    points = "".join(f'<LinearNorm orig="{x}" norm="{y}"/>' for x, y in ((-1, 0), (0, 0.25), (2, 1)))
    return f'<NormContinuous field="a" outliers="{outliers}">{points}</NormContinuous>'


def _of(expression: str, kind: str = "double", fields: Fields = NUMBERS, more: str = "") -> str:
    """A regression that answers with one derived field, so that what an expression gives is seen."""
    names = [name for name in fields if name != "y"]
    model = regression(
        "regression",
        names,
        table(0, numeric("d", 1)),
        inner=f"<LocalTransformations>{derived('d', expression, kind)}</LocalTransformations>",
    )
    return pmml(fields, model, more)


def _shown(expression: str, more: str = "") -> str:
    """The same of a text, which an output field says."""
    inner = (
        outputs(output("text", "transformedValue", inner=ref("d")))
        + f"<LocalTransformations>{derived('d', expression, 'string')}</LocalTransformations>"
    )
    return pmml(
        {**NUMBERS, "s": "string*"},
        regression("regression", ("a", "b", "c", "s"), table(0, numeric("a", 1)), inner=inner),
        more,
    )


WHOLE = {"i": "integer", "j": "integer", "y": "double"}
EXPRESSIONS = {
    "discretize": _shown(_BINS),
    "map values": _of(_MAPPED, more=derived("bin", _BINS, "string")),
    **{f"norm continuous {outliers}": _of(_norm(outliers)) for outliers in ("asIs", "asMissingValues", "asExtremeValues")},
    "norm discrete": _of('<NormDiscrete field="c" value="green" mapMissingTo="0.5"/>'),
    "missing field": _of('<FieldRef field="a" mapMissingTo="7"/>'),
    "shared function": _of(
        apply("scaled", ref("a"), const(3)),
        more='<DefineFunction name="scaled" optype="continuous" dataType="double"><ParameterField name="x"/><ParameterField name="by"/>'
        + apply("*", ref("x"), ref("by")) + "</DefineFunction>",
    ),
}  # fmt: skip
FUNCTIONS = {
    **{f"function {f}": _of(apply(f, ref("a"), ref("b"))) for f in ("+", "-", "*", "/", "min", "max", "sum", "avg", "product")},
    "function pow": _of(apply("pow", apply("abs", ref("a")), const(1.5))),
    "function modulo": _of(apply("modulo", ref("i"), const(3, "integer")), fields=WHOLE),
    "whole numbers +": _of(apply("+", ref("i"), ref("j")), fields=WHOLE),
    "whole numbers /": _of(apply("/", ref("i"), apply("+", apply("abs", ref("j")), const(1, "integer"))), fields=WHOLE),
    **{f"function {f}": _of(apply(f, ref("a"))) for f in ("abs", "floor", "ceil", "round", "rint", "sin", "cos", "tanh", "tan", "atan", "asin", "acos", "sinh", "cosh")},
    **{f"function {f}": _of(apply(f, apply("min", ref("a"), const(50)))) for f in ("exp", "expm1")},
    **{f"function {f}": _of(apply(f, apply("+", apply("abs", ref("a")), const(0.5)))) for f in ("ln", "log10", "sqrt", "ln1p")},
    "function hypot": _of(apply("hypot", ref("a"), ref("b"))),
    "function stdNormalCDF": _of(apply("stdNormalCDF", ref("a"))),
    "function normalPDF": _of(apply("normalPDF", ref("a"), const(1), const(2))),
    "function threshold": _of(apply("threshold", ref("a"), const(0))),
    "function if": _of(apply("if", apply("lessThan", ref("a"), const(0)), const(-1), apply("if", apply("equal", ref("c"), const("red", "string")), ref("b")))),
    "functions of truth": _of(
        apply("if", apply("or", apply("and", apply("greaterThan", sure("a"), const(0)), apply("not", apply("lessOrEqual", sure("b"), const(0)))),
                          apply("isIn", ref("c"), const("red", "string"), const("blue", "string"))), const(1), const(0))),
    "functions of missing values": _of(apply("if", apply("isMissing", ref("a")), const(1), apply("if", apply("isNotMissing", ref("b")), const(2), const(3)))),
    "not among": _of(apply("if", apply("isNotIn", ref("c"), const("red", "string"), const("green", "string")), const(1), const(0))),
    "defaults of a function": _of(apply("+", ref("a"), ref("b"), mapMissingTo="5")),
    "default of an answer": _of(apply("+", ref("a"), ref("b"), defaultValue="5")),
    "upper case": _shown(apply("uppercase", known("c"))),
    "lower case": _shown(apply("lowercase", known("s"))),
    "substring": _shown(apply("substring", known("c"), const(2, "integer"), const(2, "integer"))),
    "concat": _shown(apply("concat", ref("c"), const("-", "string"), ref("s"))),
    "trim blanks": _shown(apply("trimBlanks", known("s"))),
    "comparison of texts": _of(apply("if", apply("equal", ref("c"), ref("s")), const(1), const(0)), fields={**NUMBERS, "s": "string*"}),
}  # fmt: skip


def _treated(told: Mapping[str, str], extra: Mapping[str, str] | None = None, fields: Fields = NUMBERS) -> str:
    names = [name for name in fields if name != "y"]
    model = (
        f'<RegressionModel functionName="regression">{schema(names, told=told)}'
        + table(1, *(numeric(name, 2) for name in names if not fields[name].startswith("string")),
                *(f'<CategoricalPredictor name="{n}" value="red" coefficient="9"/>' for n in names if fields[n].startswith("string")))
        + "</RegressionModel>"
    )  # fmt: skip
    return pmml(fields, model, extra=extra)


_RANGE = {
    "a": '<Interval closure="closedClosed" leftMargin="-1" rightMargin="1"/><Value value="-999" property="missing"/>'
}
_BOUNDS = 'lowValue="-0.5" highValue="1.5"'
FIELDS = {
    "missing value replacement": _treated({"a": 'missingValueReplacement="3.5"', "c": 'missingValueReplacement="red"'}),
    **{f"outliers {each}": _treated({"a": f'outliers="{each}" {_BOUNDS}'}) for each in ("asIs", "asMissingValues", "asExtremeValues")},
    "outliers replaced": _treated({"a": f'outliers="asMissingValues" {_BOUNDS} missingValueReplacement="0.75"'}),
    **{f"invalid {each}": _treated({"a": f'invalidValueTreatment="{each}"', "c": f'invalidValueTreatment="{each}"'}, _RANGE)
       for each in ("returnInvalid", "asIs", "asMissing")},
    "invalid replaced": _treated({"a": 'invalidValueTreatment="asMissing" missingValueReplacement="0.25"'}, _RANGE),
    "invalid as a value": _treated({"a": 'invalidValueTreatment="asValue" invalidValueReplacement="0.5"'}, _RANGE),
    "missing refused": _treated({"a": 'missingValueTreatment="returnInvalid"'}),
    "values that are invalid": _treated({}, {"a": '<Value value="0" property="invalid"/>'}),
}  # fmt: skip


def _aimed(told: str, inner: str = "") -> str:
    aim = f'<Targets><Target field="y" {told}>{inner}</Target></Targets>'
    return pmml(NUMBERS, regression("regression", ("a",), table(1, numeric("a", 2)), inner=aim))


TARGETS = {
    "rescaled": _aimed('rescaleFactor="2.5" rescaleConstant="-1"'),
    "clamped": _aimed('min="-1" max="2"'),
    "clamped and rescaled": _aimed('min="-1" max="2" rescaleFactor="3" rescaleConstant="10"'),
    **{f"cast {each}": _aimed(f'castInteger="{each}"') for each in ("round", "ceiling", "floor")},
    "default": _aimed("", '<TargetValue defaultValue="42"/>'),
}

EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "RegressionModel": REGRESSIONS,
    "GeneralRegressionModel": GENERAL,
    "TreeModel": TREES,
    "MiningModel": ENSEMBLES,
    "Scorecard": SCORECARDS,
    "NeuralNetwork": NETWORKS,
    "expressions": EXPRESSIONS,
    "functions of Apply": FUNCTIONS,
    "DataDictionary, MiningSchema": FIELDS,
    "Targets": TARGETS,
}
"""By the element that they show."""
ALL: Mapping[str, str] = {
    f"{element}: {name}": text for element, group in EXAMPLES.items() for name, text in group.items()
}
