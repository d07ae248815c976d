"""Who goes first, what an owner's quota keeps back, and who gives way to whom; without anything around them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.contracts.catalogs import PRIORITIES, priority_of
from headrace.contracts.errors import ContractError
from headrace.trainer.preemption import Working, can_go_on, fitting, no_longer, yielding
from headrace.trainer.quotas import BadQuotas, Ledger, Quota, Quotas, kept_back, read_quotas
from headrace.trainer.resources import Room, Size, lacking
from headrace.trainer.scheduling import Queued, Recent, next_runs

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HALF = timedelta(minutes=30)
NODES = [Size(cpus=4, gpus=1)]
FPGA = (("fpga", 1.0),)


def waits(run: str, priority: int = 0, minutes: float = 0, model: str | None = None, **fields: Any) -> Queued:
    """A run that waits since some minutes before noon."""
    return Queued(run, model or run, NOON - timedelta(minutes=minutes), priority=priority, **fields)


def works(run: str, priority: int = 0, **fields: Any) -> Working:
    """A run at work that can go on from a checkpoint."""
    return Working(
        **{"run": run, "priority": priority, "size": Size(), "checkpointed": True, "started_at": NOON, **fields}
    )


def order(queue: list[Queued], recent: dict[str, Recent] | None = None) -> list[str]:
    """The order in which all of them would start at noon."""
    return next_runs(queue, recent or {}, len(queue), now=NOON, aging=HALF)


# priorities


def test_the_higher_priority_goes_first_whoever_asked_first() -> None:
    """Among equals the order is as ever."""
    assert order([waits("a", -5, 3), waits("b", 0, 2), waits("c", 10, 1), waits("d", 0, 1)]) == ["c", "b", "d", "a"]


def test_a_priority_is_a_name_or_a_number() -> None:
    """The names stand for numbers of the same scale."""
    assert {name: priority_of(name) for name in PRIORITIES} == {"low": -5, "normal": 0, "high": 5, "urgent": 10}
    assert [priority_of(number) for number in (-10, 0, 10)] == [-10, 0, 10]


@pytest.mark.parametrize(
    ("asked", "told"),
    [("hihg", "did you mean 'high'?"), (11, "whole numbers from -10 to 10"), (-11, "-11 is no priority")],
)
def test_what_is_no_priority_is_refused_with_what_would_be_one(asked: int | str, told: str) -> None:
    """The nearest name, or the bounds."""
    with pytest.raises(ContractError) as error:
        priority_of(asked)

    assert told in str(error.value)


@pytest.mark.parametrize(("minutes", "first"), [(0, "new"), (149, "new"), (150, "old"), (10_000, "old")])
def test_a_run_that_waits_rises_until_it_is_as_high_as_any(minutes: float, first: str) -> None:
    """By one for each half hour; as high as another, it goes first because it waited longer."""
    assert order([waits("old", 0, minutes), waits("new", 5)])[0] == first


def test_a_run_rises_no_higher_than_what_waits_beside_it() -> None:
    """Else a hundred runs of one model that wait would keep another model from its first run."""
    many = [waits(f"a{number}", minutes=600, model="many") for number in range(5)]

    assert order([*many, waits("b", minutes=1)])[:2] == ["a0", "b"]


def test_a_run_that_gave_way_rises_anew() -> None:
    """Its wait counts since then: else it would take its place back at once."""
    old = waits("old", 0, 600, since=NOON - HALF)

    assert old.level(NOON, HALF, 10) == 1
    assert replace(old, since=None).level(NOON, HALF, 10) == 10
    assert order([old, waits("new", 5)])[0] == "new"


def test_without_a_time_for_it_nobody_rises() -> None:
    """The priority alone counts."""
    assert waits("a", 3, 600).level(NOON, timedelta(0), 10) == 3
    assert waits("a", 3, 600).level(None, HALF, 10) == 3


@given(st.lists(st.tuples(st.integers(-10, 10), st.integers(0, 5000)), max_size=12))
def test_nothing_starves(asked: list[tuple[int, int]]) -> None:
    """Whatever comes, a run that has waited ten hours is behind none that came later."""
    queue = [waits(f"r{at:02}", priority, minutes) for at, (priority, minutes) in enumerate(asked)]
    late = [waits(f"z{at}", 10, at / 10) for at in range(3)]

    found = order([*queue, *late])

    assert sorted(found) == sorted(each.run for each in (*queue, *late))
    old = [found.index(each.run) for each in queue if each.asked_at <= NOON - 20 * HALF]
    assert max(old, default=-1) < min(found.index(each.run) for each in late)


# resources by name


def test_a_resource_by_name_is_had_by_the_node_that_has_it() -> None:
    """As much of it as there is; a run that asks for one has a worker of its own."""
    node, wish = Size.of(4, 0, {"fpga": 2}), Size.of(1, 0, {"fpga": 1})

    assert node.holds(wish)
    assert not NODES[0].holds(wish)
    assert not wish.shares
    assert node.less(wish) == Size.of(3, 0, {"fpga": 1})
    room = Room([node], [wish])
    assert [room.take(wish), room.take(wish)] == [True, False]


def test_a_resource_that_no_node_has_is_named() -> None:
    """With what the largest node has, and what to do; too much of a known one is another reason."""
    nodes = [Size.of(4, 0, {"fpga": 1})]

    unknown = lacking(Size.of(1, 0, {"tpu": 1}), nodes) or ""
    assert unknown.startswith("no node of the Ray cluster has cpus 1, tpu 1: the largest has cpus 4, fpga 1, and none")
    assert "has a resource 'tpu'" in unknown
    assert "none has a resource" not in (lacking(Size.of(1, 0, {"fpga": 2}), nodes) or "")
    assert lacking(Size.of(1, 0, {"fpga": 1}), nodes) is None


# quotas


QUOTAS = Quotas(default=Quota(cpus=4, runs=2), owners={"ops": Quota(runs=3), "lab": Quota(gpus=1, cpus=16)})


def test_what_an_owners_quota_leaves_out_is_that_of_all() -> None:
    """An owner that nobody named, and a run without one, have that of all."""
    assert QUOTAS.of("ops") == Quota(cpus=4, runs=3)
    assert QUOTAS.of("lab") == Quota(cpus=16, gpus=1, runs=2)
    assert QUOTAS.of("other") == QUOTAS.of(None) == Quota(cpus=4, runs=2)


@pytest.mark.parametrize(
    ("owner", "size", "told"),
    [
        ("ops", Size(cpus=4), None),
        ("ops", Size(cpus=5), "owner ops may have no more than cpus 4 at work"),
        ("lab", Size(cpus=16, gpus=2), "owner lab may have no more than gpus 1 at work"),
        (None, Size(cpus=5), "runs without an owner may have no more than cpus 4"),
    ],
)
def test_a_run_that_is_more_than_its_owners_quota_can_never_start(
    owner: str | None, size: Size, told: str | None
) -> None:
    """Said at apply, with what to do."""
    found = QUOTAS.exceeded(owner, size)

    assert (found is None) if told is None else (told in (found or "") and "training.resources" in (found or ""))


def test_without_quotas_nothing_is_kept_back() -> None:
    """Whatever is asked for."""
    assert Quotas().exceeded("ops", Size(cpus=4096, gpus=64)) is None
    assert kept_back(Quotas(), [("ops", Size(cpus=64))] * 9, [waits("a", owner="ops")]) == {}


def test_a_ledger_counts_each_owner_apart() -> None:
    """What one has at work keeps nobody else back."""
    ledger = Ledger(QUOTAS, [("ops", Size(cpus=3)), ("lab", Size())])

    assert ledger.may(waits("a", owner="ops", size=Size(cpus=1)))
    assert not ledger.may(waits("a", owner="ops", size=Size(cpus=2)))
    assert [ledger.take(waits("a", owner="lab")), ledger.take(waits("b", owner="lab"))] == [True, False]
    assert ledger.may(waits("c"))


def test_a_run_over_the_quota_says_what_is_there_and_what_may_be() -> None:
    """Those of higher priority go before it; one that can never start says that."""
    queue = [waits("a", 0, 9, owner="ops"), waits("b", 5, 1, owner="ops"), waits("c", owner="ops", size=Size(cpus=9))]

    told = kept_back(QUOTAS, [("ops", Size()), ("ops", Size())], queue)

    assert sorted(told) == ["a", "c"]
    assert told["a"].startswith(
        "owner ops has cpus 3, gpus 0, runs 3 at work or before it, and may have runs 3 (quota)"
    )
    assert told["c"].startswith("it asks for cpus 9, and owner ops may have no more than cpus 4")


def test_what_can_never_start_takes_nothing_of_the_quota() -> None:
    """A run behind it is not kept back by it."""
    queue = [waits("a", 0, 9, owner="ops", size=Size(cpus=9)), waits("b", owner="ops", size=Size(cpus=4))]

    assert sorted(kept_back(QUOTAS, [], queue)) == ["a"]


def test_quotas_are_read_from_yaml(tmp_path: Path) -> None:
    """Without a file there are none."""
    file = tmp_path / "quotas.yaml"
    file.write_text("default: {runs: 4}\nowners: {ops: {gpus: 0.5}}\n")

    assert read_quotas(file).of("ops") == Quota(runs=4, gpus=0.5)
    assert read_quotas(None) == Quotas()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("default: {cpu: 4}\n", "default.cpu: "),
        ("owners: {ops: {runs: -1}}\n", "owners.ops.runs: "),
        ("owners: {ops: {runs: 1.5}}\n", "owners.ops.runs: "),
        ("owners: {ops: {gpus: .inf}}\n", "owners.ops.gpus: "),
        ("- 1\n", "file: "),
        ("a: [\n", "expected"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_of_quotas_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, told: str) -> None:
    """At the start, with the place, rather than runs without limits."""
    file = tmp_path / "quotas.yaml"
    if text is not None:
        file.write_text(text)

    with pytest.raises(BadQuotas) as error:
        read_quotas(file)

    assert str(file) in str(error.value)
    assert told in str(error.value)


# preemption


def gives_way(waiting: list[Queued], working: list[Working], capacity: int = 2, quotas: Quotas | None = None) -> Any:
    """Who gives way, and for whom."""
    fits = fitting(capacity, NODES, quotas or Quotas())
    return [(each.run, each.to.run) for each in yielding(waiting, working, fits)]


def test_a_lower_run_gives_way_to_a_higher_one_that_finds_no_place() -> None:
    """The lowest one; of equals the one that began last, which loses least."""
    later = NOON + timedelta(hours=1)

    assert gives_way([waits("hi", 5)], [works("a", 0), works("b", -5)]) == [("b", "hi")]
    assert gives_way([waits("hi", 5)], [works("a"), works("b", started_at=later)]) == [("b", "hi")]


@pytest.mark.parametrize(
    "working",
    [
        [works("a", 5), works("b", 10)],
        [works("a", 0, checkpointed=False), works("b", 0, checkpointed=False)],
        [works("a", 0)],
    ],
    ids=["of equal or higher priority", "without a checkpoint", "a place is free"],
)
def test_nobody_gives_way_without_need_or_without_a_checkpoint(working: list[Working]) -> None:
    """What cannot go on from a checkpoint is never ended for another run."""
    assert gives_way([waits("hi", 5)], working) == []


def test_a_run_that_has_risen_by_waiting_takes_nobodys_place() -> None:
    """The declared priority counts alone, so that two runs never take turns at it."""
    assert gives_way([waits("old", 0, 100_000)], [works("a"), works("b", -1)]) == [("b", "old")]
    assert gives_way([waits("old", -1, 100_000)], [works("a"), works("b", -1)]) == []


def test_as_few_as_make_room_give_way() -> None:
    """One large run, and not the small ones beside it."""
    working = [works("a", -5, size=Size(cpus=1)), works("b", -4, size=Size(cpus=3)), works("c", -3, size=Size(gpus=1))]

    assert gives_way([waits("hi", 5, size=Size(cpus=3))], working, capacity=9) == [("b", "hi")]


def test_nobody_gives_way_where_that_would_not_make_room() -> None:
    """What remains takes too much, or the run is larger than any node."""
    working = [works("a", -5), works("b", 9, size=Size(cpus=4))]

    assert gives_way([waits("hi", 5, size=Size(cpus=3))], working, capacity=9) == []
    assert gives_way([waits("hi", 5, size=Size(cpus=99))], [works("a", -5)], capacity=1) == []


def test_an_owners_quota_is_kept_by_its_own_runs_alone() -> None:
    """A run over its quota may have the place of a lower one of the same owner, and of nobody else's."""
    quotas = Quotas(owners={"ops": Quota(runs=1)})
    hi = waits("hi", 5, owner="ops")

    assert gives_way([hi], [works("a", owner="ops"), works("b", -5)], 3, quotas) == [("a", "hi")]
    assert gives_way([hi], [works("a", 9, owner="ops"), works("b", -5)], 3, quotas) == []


def test_who_was_asked_already_is_not_asked_again() -> None:
    """Nor anybody else for the same run; another run finds another one."""
    asked = works("a", -5, yields_to="hi")

    assert gives_way([waits("hi", 5)], [asked, works("b")]) == []
    assert gives_way([waits("hi", 5), waits("ho", 4)], [asked, works("b")]) == [("b", "ho")]


def test_the_highest_of_those_that_wait_is_made_room_for_first() -> None:
    """The other one has to wait where there is one place to give."""
    assert gives_way([waits("a", 4, 9), waits("b", 5)], [works("x"), works("y", 9)]) == [("x", "b")]


def test_who_was_asked_for_a_run_that_waits_no_longer_may_stay() -> None:
    """It was cancelled, or has found another place."""
    assert no_longer([works("a", yields_to="hi"), works("b", yields_to="ho"), works("c")], {"ho"}) == ["a"]


@pytest.mark.parametrize(
    ("job", "checkpoint", "can"),
    [
        ({"code": {"package": "n"}}, {"step": 1}, True),
        ({"code": {"package": "n"}}, None, False),
        ({"code": {}}, {"step": 1}, False),
        ({}, {"step": 1}, False),
        (None, None, False),
    ],
)
def test_only_own_code_with_a_checkpoint_can_go_on(job: Any, checkpoint: Any, can: bool) -> None:
    """Any other run would begin from nothing."""
    assert can_go_on(job, checkpoint) is can


@given(
    st.lists(st.tuples(st.integers(-10, 10), st.booleans(), st.sampled_from([1, 2, 4])), max_size=6),
    st.lists(st.tuples(st.integers(-10, 10), st.sampled_from([1, 2, 3])), max_size=4),
)
def test_who_gives_way_is_always_lower_and_its_going_makes_room(
    at_work: list[tuple[int, bool, int]], asked: list[tuple[int, int]]
) -> None:
    """Whatever runs and waits."""
    working = [works(f"w{n}", p, checkpointed=c, size=Size(cpus=s)) for n, (p, c, s) in enumerate(at_work)]
    waiting = [waits(f"q{n}", p, size=Size(cpus=s)) for n, (p, s) in enumerate(asked)]
    fits, by_name = fitting(3, NODES, Quotas()), {each.run: each for each in working}

    for to in waiting:
        gone = [by_name[each.run] for each in yielding([to], working, fits)]
        assert all(each.priority < to.priority and each.checkpointed for each in gone)
        if gone:
            left = [each for each in working if each not in gone]
            assert fits(to, left)
            assert not any(fits(to, [*left, each]) for each in gone)
