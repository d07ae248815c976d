"""Every rule holds on every way in: what HTTP refuses, an event is refused for, in the same words."""

import json
from typing import Any

from headrace.contracts import Column, ColumnFacts, DatasetIngested, ModelDeclared, RequestRefused
from headrace.contracts.errors import ContractError
from headrace.tasks import parse_declaration
from headrace.testkit import Harness, a, eventually
from headrace.testkit.declarations import LEAST, bad_documents, merged

COLUMNS = {"left": "integer", "age": "integer", "gender": "string", "joined": "timestamp", "city": "string"}
FACTS = {"left": 2, "age": 70, "gender": 2, "city": 400}
SHOWN = 300  # characters of a reason that every way in keeps


def ingested(version: int = 1, **distinct: int) -> DatasetIngested:
    """The customers' data came."""
    facts = [ColumnFacts(name=name, distinct=count) for name, count in {**FACTS, **distinct}.items()]
    columns = [Column(name=name, type=kind, nullable=False) for name, kind in COLUMNS.items()]  # type: ignore[arg-type]
    return a(DatasetIngested, dataset="customers", version=version, mode="replace", columns=columns, facts=facts)


async def known(on: Harness) -> None:
    """The registry has heard of the customers' data."""
    await on.say(ingested())
    await on.quiet()


async def test_gates_that_are_left_out_are_the_default_ones_on_every_way_in(on: Harness) -> None:
    """By an event, silence once meant none at all."""
    assert (await on.http.put("/models/churn", json=LEAST)).status_code == 201
    await on.publish("headrace.request.declaration.other", json.dumps({"data": LEAST["data"]}).encode())
    other = await on.heard(ModelDeclared, "other")

    by_http = (await on.heard(ModelDeclared, "churn")).data.declaration
    assert by_http.evaluation.gates
    assert other.data.declaration.model_copy(update={"name": "churn"}) == by_http


async def test_http_and_event_refuse_the_same_declarations_in_the_same_words(on: Harness) -> None:
    """And in those of the function that the command line asks."""
    expected, by_http = [], []
    for _, document in bad_documents():
        expected.append(told(document))
        answer = await on.http.put("/models/churn", json=document)
        assert answer.status_code == 422, answer.text
        by_http.append(answer.json()["detail"][:SHOWN])
        await on.publish("headrace.request.declaration.churn", json.dumps(document).encode())

    refused = await eventually(lambda: on.all(RequestRefused) if len(on.all(RequestRefused)) == len(expected) else None)
    by_event = [each.data.reason[:SHOWN] for each in refused]
    assert by_http == expected
    assert sorted(by_event) == sorted(expected)
    assert on.all(ModelDeclared) == []


def told(document: dict[str, Any]) -> str:
    """What the one function says of a document."""
    try:
        parse_declaration(document)
    except ContractError as error:
        return str(error)[:SHOWN]
    raise AssertionError(f"{document} is good")


async def test_columns_are_held_against_those_of_a_dataset_that_is_known(on: Harness) -> None:
    """By HTTP and by an event, with the nearest right name."""
    await known(on)
    document = merged(LEAST, {"data": {"groups": ["Gender"]}})
    says = "data.groups[0]: dataset 'customers' has no column 'Gender'; did you mean 'gender'?"

    answer = await on.http.put("/models/churn", json=document)
    await on.publish("headrace.request.declaration.churn", json.dumps(document).encode())

    assert (answer.status_code, answer.json()["detail"]) == (422, says)
    assert (await on.heard(RequestRefused)).data.reason == says


async def test_a_quantity_is_a_regression_where_the_data_are_known(on: Harness) -> None:
    """And the answer says so."""
    await known(on)
    answer = await on.http.put("/models/churn", json=merged(LEAST, {"data": {"target": "age"}}))

    assert (await on.heard(ModelDeclared)).data.declaration.task == "regression"
    assert "task: regression is taken, because 'age' holds numbers; say `task` to choose" in answer.json()["warnings"]


async def test_the_answer_tells_what_may_surprise(on: Harness) -> None:
    """A timestamp that is no feature, text with very many values."""
    await known(on)
    warnings = (await on.http.put("/models/churn", json=LEAST)).json()["warnings"]

    assert any("'joined' is a timestamp and no feature" in each for each in warnings)
    assert any("'city' is text with 400 different values" in each for each in warnings)


async def test_the_answer_says_what_starts_the_first_run(on: Harness) -> None:
    """Data that come, data that are there, or a person."""
    before = (await on.http.put("/models/churn", json=LEAST)).json()["starts"]
    asleep = merged(LEAST, {"name": "asleep", "training": {"on": []}})
    never = (await on.http.put("/models/asleep", json=asleep)).json()["starts"]
    await known(on)
    after = (await on.http.put("/models/later", json={**LEAST, "name": "later"})).json()["starts"]

    assert before == "the first run starts when data come: `headrace ingest customers FILE`"
    assert never == "new data start no run; `headrace train asleep` starts a run"
    assert after == "the first run starts now, with version 1 of customers"


async def test_a_new_version_of_the_data_is_what_the_next_declaration_is_held_against(on: Harness) -> None:
    """The newest version counts."""
    await known(on)
    assert (await on.http.put("/models/churn", json=LEAST)).status_code == 201

    await on.say(ingested(2, left=193))
    await on.quiet()
    answer = await on.http.put("/models/churn", json={**LEAST, "task": "binary"})

    assert answer.status_code == 422
    assert "'left' holds 193 different values" in answer.json()["detail"]
