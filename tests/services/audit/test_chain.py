"""The chain behind a version as pure decisions: what is on the way, what is missing, which row is meant."""

import json
from typing import Any

import pytest

from headrace.audit.domain import (
    FILES,
    Chain,
    Event,
    NoSuchRow,
    answer_with,
    is_truth_of,
    learned_from,
    on_the_way,
    registered,
    require_steps,
    row_meant,
    tell_files,
)
from headrace.tlog import Entry, event_digest


def event(fact: str, index: int = 0, *, at: int = 0, key: str = "m", cause: str | None = None, **data: Any) -> Event:
    """An event of a fact, such as `alias.moved`, as audit keeps it."""
    body = json.dumps({"data": data}).encode()
    entry = Entry("E", index + 1, f"headrace.{fact}.{key}", f"id{index}", f"headrace.{fact}.v1", "s", "t", "0")
    return Event(entry, key, at, body, causationid=cause, index=index)


def chain(**more: Any) -> Chain:
    """The chain of version 3 of m, which run r made of version 5 of dataset d."""
    known: dict[str, Any] = {"run": "r", "revision": 2, "dataset": {"name": "d", "version": 5}}
    return Chain("m", 3, **{**known, **more})


ROUTES = [{"version": 2}, {"version": 3}]
# fact, what it says, whether it is of the chain
ON_THE_WAY: list[tuple[str, dict[str, Any], bool]] = [
    ("version.registered", {"model": "m", "version": 3}, True),
    ("version.approved", {"model": "m", "version": 4}, False),
    ("version.approved", {"model": "n", "version": 3}, False),
    ("approval.requested", {"model": "m", "version": 3}, True),
    ("alias.moved", {"model": "m", "version": 3}, True),
    ("alias.moved", {"model": "m", "version": 2, "previous": 3}, False),
    ("rollout.completed", {"model": "m", "version": 3}, True),
    ("evaluation.requested", {"model": "m", "candidate": 3}, True),
    ("evaluation.requested", {"model": "m", "candidate": {"version": 3}}, True),
    ("evaluation.completed", {"model": "m", "candidate": {"version": 4}, "rival": 3}, False),
    ("evaluation.completed", {"model": "n", "candidate": 3}, False),
    ("evaluation.completed", {"model": "m", "candidate": "3"}, False),
    ("training.queued", {"run": "r"}, True),
    ("training.started", {"run": "r"}, True),
    ("training.completed", {"run": "r"}, True),
    ("training.completed", {"run": "q"}, False),
    ("training.completed", {}, False),
    ("training.failed", {"run": "r"}, False),
    ("import.completed", {"import_id": "i"}, False),
    ("dataset.ingested", {"dataset": "d", "version": 5}, True),
    ("dataset.ingested", {"dataset": "d", "version": 1}, True),
    ("dataset.ingested", {"dataset": "d", "version": 6}, False),
    ("dataset.ingested", {"dataset": "e", "version": 5}, False),
    ("dataset.ingested", {"dataset": "d", "version": "5"}, False),
    ("dataset.ingested", {"dataset": "d"}, False),
    ("dataset.rejected", {"dataset": "d", "version": 5}, False),
    ("route.changed", {"model": "m", "routes": ROUTES}, True),
    ("route.changed", {"model": "m", "routes": ROUTES[:1]}, False),
    ("route.changed", {"model": "n", "routes": ROUTES}, False),
    ("route.changed", {"model": "m", "routes": None}, False),
    ("route.changed", {"model": "m", "routes": ["3", {"version": 3}]}, True),
    ("model.declared", {"name": "m", "revision": 2}, True),
    ("model.declared", {"name": "m", "revision": 3}, False),
    ("model.declared", {"name": "n", "revision": 2}, False),
    ("drift.detected", {"model": "m", "version": 3}, False),
    ("alert.raised", {"model": "m", "version": 3}, False),
    ("prediction.logged", {"model": "m", "version": 3}, False),
]


@pytest.mark.parametrize(("fact", "data", "wanted"), ON_THE_WAY)
def test_an_event_is_on_the_way_where_it_is_about_this_version(fact: str, data: dict[str, Any], wanted: bool) -> None:
    """What only names it, or came after it, is not."""
    assert on_the_way(event(fact, **data), chain()) is wanted


@pytest.mark.parametrize(
    ("fact", "data"),
    [
        ("training.completed", {"run": None}),
        ("import.completed", {"import_id": None}),
        ("dataset.ingested", {"version": 1}),
    ],
)
def test_nothing_is_of_a_run_that_is_not_known(fact: str, data: dict[str, Any]) -> None:
    """Two unknown ids are not the same."""
    assert not on_the_way(event(fact, **data), Chain("m", 3))


def test_an_imported_version_has_the_events_of_its_import() -> None:
    """And none of another's."""
    imported = chain(run=None, import_id="i")

    assert on_the_way(event("import.queued", import_id="i"), imported)
    assert not on_the_way(event("import.completed", import_id="j"), imported)


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"\xff", b"[]", b"7", b'{"data": [1]}', b'{"data": null}', b"[" * 99_999]
)
def test_a_message_that_cannot_be_read_says_nothing(body: bytes) -> None:
    """One such message does not stop the trace of all others; its digest is that of its bytes."""
    entry = Entry("E", 1, "headrace.alias.moved.m", "id", "headrace.alias.moved.v1", "s", "t", "0")
    unread = Event(entry, "m", 0, body)

    assert unread.data == {}
    assert not on_the_way(unread, chain())
    assert unread.sha256 == event_digest(body)


def test_a_bare_request_is_its_own_data() -> None:
    """A request without an envelope says what its body says."""
    entry = Entry("R", 1, "headrace.request.truth.m", "id", "headrace.request.truth.v1", "s", "t", "0")
    assert Event(entry, "m", 0, b'{"labels": []}').data == {"labels": []}


@pytest.mark.parametrize(
    ("kind", "fact", "wanted"),
    [
        ("headrace.alias.moved.v1", "alias.moved", True),
        ("headrace.alias.moved.v2", "alias.moved", True),
        ("headrace.alias.moved", "alias.moved", False),
        ("headrace.alias.moved_away.v1", "alias.moved", False),
        ("other.alias.moved.v1", "alias.moved", False),
    ],
)
def test_a_fact_is_known_in_every_version(kind: str, fact: str, wanted: bool) -> None:
    """By its whole name."""
    assert Event(Entry("E", 1, "s", "id", kind, "s", "t", "0"), "m", 0, b"{}").is_a(fact) is wanted


def test_a_chain_takes_what_happened_until_then() -> None:
    """The moment itself included; in the log's order, each event once."""
    found = chain()
    moved = [event("alias.moved", at, at=10 * at, model="m", version=3) for at in (3, 1, 2)]

    found.add([*moved, *moved, event("alias.moved", 9, model="n", version=3)], until=20)
    assert [each.index for each in found.ordered()] == [1, 2]
    found.add(moved)

    assert [each.index for each in found.ordered()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("routes", "kept", "ends"), [([], [], []), ([4], [4], []), ([4, 7], [4, 7], [7]), ([4, 5, 6, 7], [4, 7], [7])]
)
def test_of_many_routes_the_first_and_the_newest_are_kept(routes: list[int], kept: list[int], ends: list[int]) -> None:
    """The cause of the newest is not asked for, that of the first is."""
    found = chain()
    found.add(event("route.changed", at, model="m", routes=ROUTES, cause=f"cause of {at}") for at in routes)

    found.settle_routes()

    assert ([each.index for each in found.ordered()], sorted(found.ends)) == (kept, ends)
    assert found.causes_unknown() == {f"cause of {at}" for at in kept if at not in ends}


def test_a_cause_that_is_there_is_not_unknown() -> None:
    """Only what is named and not here is asked for."""
    found = chain()
    found.add(
        [
            event("version.registered", 1, model="m", version=3, cause="elsewhere"),
            event("version.approved", 2, model="m", version=3, cause="id1"),
            event("alias.moved", 3, model="m", version=3),
        ]
    )

    assert found.causes_unknown() == {"elsewhere"}


REGISTERED = {
    "model": "m",
    "version": 3,
    "digest": "abc",
    "origin": "trained",
    "dataset": {"name": "d", "version": 5},
    "lineage": {"run": "r"},
    "declared_revision": 2,
}


@pytest.mark.parametrize(
    ("lineage", "run", "import_id"),
    [
        ({"run": "r"}, "r", None),
        ({"imported": {"import_id": "i"}}, None, "i"),
        ({"imported": "i"}, None, None),
        ({}, None, None),
    ],
)
def test_a_chain_begins_with_the_registration(lineage: dict[str, Any], run: str | None, import_id: str | None) -> None:
    """Run, import, dataset, revision, digest: all are what was said when the version was registered."""
    found = Chain("m", 3)
    found.add([event("version.registered", 1, **{**REGISTERED, "lineage": lineage})])

    assert registered(found, "abc") is not None

    assert (found.run, found.import_id, found.revision) == (run, import_id, 2)
    assert (found.digest, found.origin, found.dataset) == ("abc", "trained", {"name": "d", "version": 5})
    assert found.missing == []


@pytest.mark.parametrize(
    ("version", "digest", "missing"),
    [
        (3, None, []),
        (3, "abd", ["version.registered of m/3 with digest abd: it has abc"]),
        (4, "abc", ["version.registered of m/4"]),
    ],
)
def test_a_version_with_another_digest_is_not_the_one_that_answered(
    version: int, digest: str | None, missing: list[str]
) -> None:
    """And one that was never registered is missing."""
    found = Chain("m", version)
    found.events[1] = event("version.registered", 1, **REGISTERED)

    registered(found, digest)

    assert found.missing == missing


STEPS: dict[str, dict[str, Any]] = {
    "training.completed": {"run": "r"},
    "import.completed": {"import_id": "i"},
    "version.approved": {"model": "m", "version": 3},
    "alias.moved": {"model": "m", "version": 3},
    "route.changed": {"model": "m", "routes": ROUTES},
}


@pytest.mark.parametrize("left_out", STEPS)
def test_a_step_that_is_not_recorded_is_missing(left_out: str) -> None:
    """Each of those that a version took for certain; with all of them nothing is."""
    whole, broken = chain(import_id="i"), chain(import_id="i")
    whole.add(event(fact, at, **data) for at, (fact, data) in enumerate(STEPS.items()))
    broken.add(event(fact, at, **data) for at, (fact, data) in enumerate(STEPS.items()) if fact != left_out)

    require_steps(whole)
    require_steps(broken)

    called = {"training.completed": "run r", "import.completed": "import i"}.get(left_out, "m/3")
    assert (whole.missing, broken.missing) == ([], [f"{left_out} of {called}"])


def test_a_version_that_was_made_elsewhere_needs_no_run() -> None:
    """Nor an import, where it has none."""
    found = chain(run=None)
    require_steps(found)
    assert found.missing == ["version.approved of m/3", "alias.moved of m/3", "route.changed of m/3"]


@pytest.mark.parametrize(
    ("version", "parts", "versions"),
    [
        (5, 5, range(1, 6)),
        (5, 1, range(5, 6)),
        (5000, 5000, range(5001 - FILES, 5001)),
        (5000, FILES, range(4001, 5001)),
    ],
)
def test_a_dataset_version_was_brought_by_so_many(version: int, parts: int, versions: range) -> None:
    """One version brought each part; of very many the newest are told."""
    found = chain(dataset={"name": "d", "version": version})
    found.add([event("dataset.ingested", 1, dataset="d", version=version, parts=parts)])

    assert learned_from(found) == versions
    assert (found.files, found.missing) == (parts, [])


def test_a_dataset_that_is_not_recorded_is_missing() -> None:
    """And so is each part of it."""
    found = chain()
    assert list(learned_from(found)) == []
    assert found.missing == ["dataset.ingested of d/5"]

    part = {"source": {"key": "k", "sha256": "s"}, "source_name": "a.csv", "rows": 7, "ingested_at": None}
    found.add([event("dataset.ingested", 1, dataset="d", version=4, part=part)])
    tell_files(found, range(3, 6))

    assert found.missing[1:] == ["dataset.ingested of d/3", "dataset.ingested of d/5"]
    assert found.sources == [{"key": "k", "sha256": "s", "source_name": "a.csv", "rows": 7}]


def answer(first: int, rows: int, route: str = "champion") -> Event:
    """A logged answer, or a part of it."""
    return event("prediction.logged", first, first_row=first, rows=rows, route=route)


ANSWERS = [answer(0, 2), answer(2, 3)]


@pytest.mark.parametrize(("row", "first"), [(0, 0), (1, 0), (2, 2), (4, 2)])
def test_the_part_that_holds_the_row_is_found(row: int, first: int) -> None:
    """A large answer is logged in parts."""
    found = answer_with(f"p:{row}", ANSWERS)
    assert found is not None
    assert found.data["first_row"] == first


def test_a_row_beyond_the_answer_is_none() -> None:
    """The error says how many there are."""
    with pytest.raises(NoSuchRow, match="'p:5': the answer has 5 rows, 0 to 4"):
        answer_with("p:5", ANSWERS)


def test_the_callers_answer_goes_before_a_shadows() -> None:
    """A shadow's is told where there is no other; nothing logged is no answer."""
    shadow, own = answer(0, 9, "shadow"), answer(0, 1)

    assert answer_with("p", [shadow, own]) is own
    assert answer_with("p:0", [shadow, own]) is own
    assert answer_with("p:8", [shadow]) is shadow
    assert answer_with("p", []) is None
    assert answer_with("p:0", []) is None


@pytest.mark.parametrize(
    ("asked", "told", "wanted"),
    [
        ("p", "p", True),
        ("p", "p:4", True),
        ("p:0", "p", True),
        ("p:0", "p:0", True),
        ("p:1", "p", False),
        ("p:1", "p:0", False),
        ("p:1", "p:1", True),
        ("p:1", "q:1", False),
        ("p", "q", False),
    ],
)
def test_a_truth_is_of_the_row_that_it_names(asked: str, told: str, wanted: bool) -> None:
    """Without a row it is of the first; who asks for all rows gets the truth of each."""
    said = event("request.truth", labels=["odd", {"prediction_id": told, "value": 1}])

    assert is_truth_of(said, "m", asked) is wanted
    assert not is_truth_of(said, "n", asked)
    assert not is_truth_of(event("request.training", labels=[{"prediction_id": told}]), "m", asked)
    assert not is_truth_of(event("request.truth", labels=None), "m", asked)


def test_a_prediction_is_meant_with_its_row_or_without() -> None:
    """As its id says."""
    assert row_meant("p") == ("p", None)
    assert row_meant("p:7") == ("p", 7)
