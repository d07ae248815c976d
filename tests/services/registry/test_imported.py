"""Versions that were made elsewhere: registered, judged, approved and shown as any other."""

from typing import Any

import pytest

from headrace.contracts import (
    AliasMoved,
    ApprovalRequested,
    DatasetRef,
    EvaluationRequested,
    ImportCompleted,
    Imported,
    LearnedRows,
    VersionRegistered,
)
from headrace.testkit import Harness, a

from .conftest import asked_for, crown, declare, judged

SOURCE = DatasetRef(name="flights", version=1, digest="b" * 64)


def brought(import_id: str = "import-1", **fields: Any) -> ImportCompleted:
    """An import that ended well; its digest is its own."""
    digest = import_id.encode().hex().ljust(64, "0")[:64]
    told = a(ImportCompleted)
    imported = {"claim": "unknown", "claimed_by": "key:ann", "source_name": "flights.onnx", "format": "onnx"}
    imported |= {"largest_difference": 8e-8, "compared_rows": 150, "differing_rows": 0, "producer": "skl2onnx 1.20"}
    values = {
        "model": "flights",
        "import_id": import_id,
        "imported": a(Imported, import_id=import_id, source=told.reference, **imported),
        "artifact": told.artifact.model_copy(update={"digest": digest}),
        "dataset": SOURCE,
        "metrics": {"roc_auc": 0.7},
        "requested_by": "key:ann",
        "reason": "bought",
    }
    return a(ImportCompleted, **{**values, **fields})


async def test_an_import_becomes_a_version_of_that_origin_once(on: Harness) -> None:
    """Told twice it is one version; everything that is known of it is said."""
    await declare(on)
    for _ in range(2):
        await on.say(brought(framework="lightgbm", estimator="lightgbm.Booster", warnings=["look"]))
    said = (await on.heard(VersionRegistered)).data
    await asked_for(on, 1)
    await on.quiet()

    assert len(on.all(VersionRegistered)) == 1
    assert (said.origin, said.version, said.registered_by, said.warnings) == ("imported", 1, "key:ann", ["look"])
    assert said.lineage.imported is not None
    assert said.lineage.imported.format == "onnx"
    assert (said.lineage.run, said.lineage.dataset, said.lineage.learned) == (None, None, None)
    assert (said.lineage.framework, said.lineage.estimator) == ("lightgbm", "lightgbm.Booster")
    assert said.dataset == SOURCE
    shown = (await on.http.get("/models/flights/versions/1")).json()
    assert (shown["origin"], shown["run"], shown["import_id"]) == ("imported", None, "import-1")


async def test_an_imported_version_meets_the_gates_and_becomes_champion(on: Harness) -> None:
    """It is judged on the rows of its import, and serves where it meets every gate."""
    await declare(on)
    await on.say(brought())
    asked = await asked_for(on, 1)
    assert asked.dataset == SOURCE
    await on.say(judged(asked, candidate=0.75))
    moved = (await on.heard(AliasMoved)).data
    assert (moved.alias, moved.version, moved.digest) == ("champion", 1, asked.candidate.digest)


async def test_what_it_is_said_to_have_learned_goes_with_the_question(on: Harness) -> None:
    """The evaluation leaves these rows out; without a word of them it cannot compare."""
    await declare(on)
    await crown(on, "run-1", 1)
    learned = a(LearnedRows, columns=["wind", "late"], rows=600)
    await on.say(brought("known", learned=learned, learned_from=SOURCE))
    known = (await asked_for(on, 2, champion=1)).candidate
    assert (known.learned, known.dataset) == (learned, SOURCE)
    await on.say(brought("unknown"))
    unknown = (await asked_for(on, 3, champion=1)).candidate
    assert (unknown.learned, unknown.dataset) == (None, None)


async def test_who_imported_a_version_never_approves_it(on: Harness, by: Any) -> None:
    """An import counts as authorship: somebody else decides."""
    await declare(on, approval={"needed": 1})
    await on.say(brought(requested_by="key:zoe"))
    await on.say(judged(await asked_for(on, 1), candidate=0.75))
    await on.heard(ApprovalRequested)

    refused = await by("zoe", "POST", "/models/flights/versions/1/approve", comment="mine")

    assert refused.is_client_error
    assert "key:zoe imported flights/1; an author never approves their own" in refused.text


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ("unknown", "what it learned from is not known"),
        ("none", "key:ann says that it has learned from none of the rows that judge it"),
        ("flights@1", "key:ann says that it has learned from dataset version flights@1"),
    ],
)
async def test_the_card_says_whose_claim_it_is(on: Harness, claim: str, words: str) -> None:
    """What nobody here can prove is written as what somebody says."""
    await declare(on)
    event = brought()
    imported = event.imported.model_copy(update={"claim": claim})
    await on.say(event.model_copy(update={"imported": imported}))
    await on.heard(EvaluationRequested)
    card = (await on.http.get("/models/flights/versions/1/card")).text
    assert words in card
    assert "`flights.onnx` (format onnx" in card
    assert "made by skl2onnx 1.20; differs from its own library by 8e-08 on 150 rows at most" in card
    job = (await on.http.get("/models/flights/versions/1/lineage")).json()["job"]["name"]
    assert job == "import.flights"
