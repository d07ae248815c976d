"""The registry over HTTP: declarations, versions, approvals, aliases, risk, cards."""

import json
from datetime import timedelta

import pytest
import yaml

from headrace.contracts import (
    AliasMoved,
    PerformanceDegraded,
    Prepared,
    PreparedStep,
    VersionRegistered,
    VersionRejected,
)
from headrace.testkit import FakeClock, Harness, a, eventually

from .conftest import DECLARATION, aliases, asked_for, crown, declare, judged, trained


async def test_declaring_twice_changes_nothing_the_second_time(on: Harness) -> None:
    """A pipeline may apply the same file with every commit."""
    first = await declare(on)
    second = await declare(on)

    assert first["revision"] == second["revision"] == 1
    assert first["changed"]
    assert second["changed"] == []


async def test_a_change_is_told_by_its_paths_and_kept_in_the_history(on: Harness) -> None:
    """Who changed what, when, and how it was before."""
    await declare(on)
    changed = await declare(on, purpose="Warn everybody.", risk={"impact": "high", "review_every": "P90D"})

    assert changed["revision"] == 2
    assert changed["changed"] == ["purpose", "risk.impact"]
    history = (await on.http.get("/models/flights/history")).json()["items"]
    assert [each["revision"] for each in history] == [2, 1]
    assert history[1]["declaration"]["purpose"] == "Warn travellers."
    assert history[0]["by"].startswith("key:")


async def test_an_unknown_field_is_answered_with_the_nearest_known_one(on: Harness) -> None:
    """And nothing is declared."""
    answer = await on.http.put("/models/flights", json={**DECLARATION, "trainin": {}})

    assert answer.status_code == 422
    assert "trainin: unknown field; did you mean 'training'?" in answer.json()["detail"]
    assert (await on.http.get("/models")).json()["items"] == []


async def test_an_unknown_metric_is_answered_with_the_known_ones(on: Harness) -> None:
    """The place is named."""
    gates = [{"metric": "auc", "at_least": 0.5}]
    answer = await on.http.put("/models/flights", json={**DECLARATION, "evaluation": {"gates": gates}})

    assert answer.status_code == 422
    assert "evaluation.gates[0].metric" in answer.json()["detail"]
    assert "roc_auc" in answer.json()["detail"]


async def test_a_declaration_under_another_name_is_a_conflict(on: Harness) -> None:
    """The address and the document must agree."""
    answer = await on.http.put("/models/other", json=DECLARATION)

    assert answer.status_code == 409


async def test_what_is_not_there_is_answered_with_what_to_do(on: Harness) -> None:
    """404 with a next step, in problem details."""
    answer = await on.http.get("/models/nobody")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "headrace apply" in answer.json()["detail"]
    await declare(on)
    assert "has no version 9" in (await on.http.get("/models/flights/versions/9")).json()["detail"]


async def test_collections_come_in_pages(on: Harness) -> None:
    """A cursor leads from page to page, and is null at the end, also where the last page is full."""
    for name in ("a", "b", "c"):
        await on.http.put(f"/models/{name}", json={**DECLARATION, "name": name})

    first = (await on.http.get("/models", params={"limit": 2})).json()
    second = (await on.http.get("/models", params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [model["name"] for model in first["items"] + second["items"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None
    assert (await on.http.get("/models", params={"limit": 3})).json()["next_cursor"] is None


async def test_the_champion_of_any_moment_in_the_past_is_known(on: Harness, clock: FakeClock) -> None:
    """Which version answered on Tuesday? The history says."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    between = clock.advance(timedelta(hours=1))
    clock.advance(timedelta(hours=1))
    await crown(on, "run-2", 2, champion=1)
    await on.heard(AliasMoved, where=lambda event: event.version == 2)

    now = (await on.http.get("/models/flights/aliases/champion")).json()
    then = (await on.http.get("/models/flights/aliases/champion", params={"at": between.isoformat()})).json()
    before = await on.http.get("/models/flights/aliases/champion", params={"at": "2020-01-01T00:00:00Z"})

    assert (now["version"], now["previous"], then["version"]) == (2, 1, 1)
    assert before.status_code == 404
    history = (await on.http.get("/models/flights/aliases/champion/history")).json()["items"]
    assert [each["version"] for each in history] == [2, 1]


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "1e400", "yesterday"])
async def test_a_moment_beyond_the_calendar_is_refused_at_the_door(on: Harness, at: str) -> None:
    """Whoever asks where an alias pointed is told what a moment looks like."""
    await declare(on)

    asked = await on.http.get("/models/flights/aliases/champion", params={"at": at})

    assert asked.status_code == 422
    assert "2013-03-01T06:00:00Z" in asked.json()["detail"]


@pytest.mark.parametrize("text", ["half \ud800", "nul \x00"])
async def test_text_that_no_reader_takes_is_refused_at_the_door(on: Harness, text: str) -> None:
    """No event leaves that its readers would set aside."""
    await declare(on)

    body = json.dumps({"comment": text})
    reviewed = await on.http.post(
        "/models/flights/risk/review", content=body, headers={"content-type": "application/json"}
    )

    assert reviewed.status_code == 422
    assert "data" in reviewed.json()["detail"]


async def test_a_name_may_point_to_approved_versions_alone(on: Harness) -> None:
    """An alias that does not serve is a name; a name for what was rejected would mislead."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    await on.say(trained("run-2"))
    await on.say(judged(await asked_for(on, 2, champion=1), candidate=0.5, low=-0.3))
    await on.heard(VersionRejected)

    refused = await on.http.put("/models/flights/aliases/stable", json={"version": 2})
    named = await on.http.put("/models/flights/aliases/stable", json={"version": 1, "reason": "for the quarter"})

    assert refused.status_code == 409
    assert named.json()["reason"] == "for the quarter"
    for alike in ("Champion", "champion%20", "champion%00", "champi%D0%BEn", "%E2%80%8B", "a" * 64):
        wrong = await on.http.put(f"/models/flights/aliases/{alike}", json={"version": 1})
        assert wrong.status_code == 422, alike
    assert await aliases(on) == {"champion": 1, "stable": 1}
    page = (await on.http.get("/models/flights/aliases", params={"limit": 1})).json()
    rest = (await on.http.get("/models/flights/aliases", params={"cursor": page["next_cursor"]})).json()
    assert [each["alias"] for each in page["items"] + rest["items"]] == ["champion", "stable"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize("path", ["", "/versions/1", "/aliases/champion"])
async def test_a_delete_is_answered_with_what_can_be_done_instead(on: Harness, path: str) -> None:
    """Nothing is deleted, and a bare 405 would not say why."""
    await declare(on)

    answer = await on.http.delete(f"/models/flights{path}")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, PUT")
    assert "part of the proof" in answer.json()["detail"]
    assert "`training: {on: []}`" in answer.json()["detail"]


async def test_what_monitor_sees_feeds_the_risk(on: Harness) -> None:
    """Degraded quality makes harm likely; people see it, and note that they looked."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)
    before = (await on.http.get("/models/flights/risk")).json()

    await on.say(a(PerformanceDegraded, model="flights", version=1, metric="roc_auc"))

    async def raised() -> bool:
        return (await on.http.get("/models/flights/risk")).json()["score"] > before["score"]

    await eventually(raised)
    after = (await on.http.post("/models/flights/risk/review")).json()
    assert [signal["kind"] for signal in after["signals"]] == ["performance"]
    assert after["impact"] == 2 / 3


async def test_a_model_card_tells_recorded_facts(on: Harness) -> None:
    """Front matter that tools read, sections that people read."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)

    card = (await on.http.get("/models/flights/versions/1/card")).text

    _, front, body = card.split("---", 2)
    facts = yaml.safe_load(front)
    assert facts["risk_rating"] == "low"
    assert facts["intended_uses"] == "Warn travellers."
    assert facts["datasets"] == ["flights@1"]
    for section in ("Model Details", "Uses", "Bias, Risks, and Limitations", "Training Details", "Evaluation"):
        assert f"## {section}" in body
    assert "ops@example.org" in body


async def test_a_model_card_tells_how_columns_were_prepared(on: Harness) -> None:
    """The usual steps too, with what was learned; so does the version."""
    steps = [PreparedStep(step="impute", params={"strategy": "median"}, learned={"value": [8.5]})]
    wind = Prepared(columns=["wind"], steps=steps, usual=True, makes=1)
    await declare(on)
    await on.say(trained("run-1").model_copy(update={"preparation": [wind]}))
    await on.heard(VersionRegistered)

    card = (await on.http.get("/models/flights/versions/1/card")).text
    version = (await on.http.get("/models/flights/versions/1")).json()

    assert '- wind: impute (strategy "median"; value 8.5); 1 number (usual)' in card
    assert version["registered"]["lineage"]["preparation"] == [wind.model_dump(mode="json")]


async def test_lineage_is_an_openlineage_event(on: Harness) -> None:
    """Data in, model out, as other tools read it."""
    await declare(on)
    await crown(on, "run-1", 1)
    await on.heard(AliasMoved)

    lineage = (await on.http.get("/models/flights/versions/1/lineage")).json()

    assert lineage["eventType"] == "COMPLETE"
    assert lineage["run"]["runId"] == "run-1"
    assert lineage["inputs"][0]["name"] == "flights"
    assert lineage["outputs"][0]["facets"]["version"]["datasetVersion"] == trained("run-1").artifact.digest
    assert {"_producer", "_schemaURL"} <= set(lineage["run"]["facets"]["headrace_version"])
