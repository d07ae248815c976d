"""Checkpoints of a run in the object store: what is kept, what is taken, and what happens while the store is away."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from headrace.frameworks import Said
from headrace.objects import SyncObjectStore
from headrace.testkit.s3 import S3
from headrace.testkit.waiting import wait_until_good
from headrace.trainer.worker import checkpoints as module
from headrace.trainer.worker.checkpoints import BUCKET, Checkpoints, Found, Place, in_order_of_removal
from headrace.trainer.worker.jobs import Checkpointed


def wait_for(fact: Callable[[], bool]) -> None:
    """Wait until something is so."""
    wait_until_good(fact, bool, within=30, away=AssertionError, every=0.01)


@dataclass
class Run:
    """A run as its worker and its trainer see it."""

    place: Place
    folder: Path
    told: list[Checkpointed] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def attempt(self, number: int = 1, most: int = 3, place: Place | None = None) -> Checkpoints:
        """The checkpoints of one of its attempts."""
        return Checkpoints(place or self.place, number, most, self.told.append, self.warned.append)

    def copy(self, text: str) -> Path:
        """A copy of a checkpoint, as it is handed over."""
        made = self.folder / uuid4().hex / "files"
        (made / "deep").mkdir(parents=True)
        (made / "deep" / "weights.txt").write_text(text)
        (made / "step.txt").write_text(text)
        return made

    def make(self, *steps: int, number: int = 1, most: int = 3) -> None:
        """An attempt that makes checkpoints of some steps, each when the last one is stored."""
        with self.attempt(number, most) as made:
            self.resumed(made)
            for step in steps:
                before = len(self.told)
                made.keep(self.copy(str(step)), Said(step=step, metrics={"loss": 1 / step}))
                wait_for(lambda before=before: len(self.told) > before)

    def resumed(self, made: Checkpoints) -> Found:
        """What an attempt goes on from."""
        return made.resume(self.folder / f"resume-{uuid4().hex}")

    def goes_on_from(self, number: int = 2) -> tuple[int | None, list[str]]:
        """The step that a later attempt goes on from, read from its files, and what was damaged."""
        with self.attempt(number) as made:
            found = self.resumed(made)
        if found.resumed is None or found.checkpoint is None:
            return None, [*found.damaged]
        words = {(found.resumed.folder / name).read_text() for name in ("step.txt", "deep/weights.txt")}
        assert words == {str(found.checkpoint.step)} == {str(found.resumed.step)}
        return found.resumed.step, [*found.damaged]

    @property
    def keys(self) -> list[str]:
        """What lies in the store, without how all of it begins."""
        return sorted(
            each.key.removeprefix(self.place.prefix) for each in self.place.store.list(BUCKET, self.place.prefix)
        )

    def change(self, key: str, content: bytes | None) -> None:
        """Put other content in the place of an object; None removes it."""
        store, name = self.place.store, f"{self.place.prefix}{key}"
        store.remove(BUCKET, name)
        if content is not None:
            store.put(BUCKET, content, key=name)


@pytest.fixture
def run(buckets: S3, tmp_path: Path) -> Run:
    """A run of its own."""
    return Run(Place(buckets.sync, f"delay/{uuid4()}/"), tmp_path)


def test_a_later_attempt_goes_on_from_the_last_checkpoint_and_adds_its_own(run: Run) -> None:
    """Names are in the order of attempts and numbers; step, metrics, digest and size are told of each."""
    run.make(1, 2)
    assert run.goes_on_from() == (2, [])
    run.make(3, number=2)

    assert [each.checkpoint.name for each in run.told] == ["0001-000000", "0001-000001", "0002-000000"]
    last = run.told[-1].checkpoint
    assert (last.step, last.size, last.metrics) == (3, 2, {"loss": 1 / 3})
    assert last.manifest.key == f"{run.place.prefix}0002-000000.json"
    assert run.place.store.get(last.manifest)
    assert run.goes_on_from(3) == (3, [])
    assert not [each for each in run.folder.iterdir() if not each.name.startswith("resume-")]  # no copy is left


def test_what_else_is_kept_is_known_to_the_next_attempt(run: Run) -> None:
    """Its events may never have been said; one whose manifest is damaged is no hindrance."""
    run.make(1, 2, 3)
    with run.attempt(2) as made:
        whole = run.resumed(made)
    run.change("0001-000000.json", b"[]")
    with run.attempt(2) as made:
        found = run.resumed(made)

    assert [*whole.earlier, whole.checkpoint] == [each.checkpoint for each in run.told]
    assert [each.step for each in found.earlier] == [2]


def test_a_run_without_checkpoints_begins_at_the_beginning(run: Run) -> None:
    """That is nothing to warn of."""
    assert run.goes_on_from() == (None, [])
    assert run.warned == []


def test_only_the_last_ones_are_kept_and_it_is_told_which_went(run: Run) -> None:
    """Those of earlier attempts among them."""
    run.make(1, 2, most=2)
    run.make(3, 4, number=2, most=2)

    assert [[*each.removed] for each in run.told] == [[], [], ["0001-000000"], ["0001-000001"]]
    assert {key.partition("/")[0] for key in run.keys if "/" in key} == {"0002-000000", "0002-000001"}
    assert len(run.keys) == 6


def test_a_step_that_comes_again_is_a_newer_checkpoint(run: Run) -> None:
    """An attempt goes on from the last that was made, whatever its code calls it."""
    run.make(5, 5, 4)

    assert [each.checkpoint.step for each in run.told] == [5, 5, 4]
    assert run.goes_on_from() == (4, [])


def test_an_attempt_that_is_begun_again_does_not_write_over_what_it_wrote(run: Run) -> None:
    """A worker may be lost before the trainer notes that it has begun: then its attempt comes again by its number."""
    run.make(1)
    run.make(2)

    assert [each.checkpoint.name for each in run.told] == ["0001-000000", "0001-000001"]
    assert run.goes_on_from() == (2, [])


Damage = Callable[[Run], None]
DAMAGES: dict[str, Damage] = {
    "a file is cut in half": lambda run: run.change("0001-000001/deep/weights.txt", b""),
    "a file is another one": lambda run: run.change("0001-000001/step.txt", b"7"),
    "a file is gone": lambda run: run.change("0001-000001/step.txt", None),
    "its manifest is cut in half": lambda run: run.change("0001-000001.json", b'{"step": 2, "metr'),
    "its manifest is none": lambda run: run.change("0001-000001.json", b"[]"),
    "its manifest has another digest": lambda run: run.change(
        "0001-000001.json",
        b"".join(run.place.store.read(BUCKET, f"{run.place.prefix}0001-000001.json")).replace(b'"size":1', b'"size":2'),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(run: Run, damage: str) -> None:
    """And named with what is wrong; it goes with the next that is made, before any that is whole."""
    run.make(1, 2)
    DAMAGES[damage](run)

    step, words = run.goes_on_from()
    run.make(3, 4, number=2)

    assert step == 1
    assert len(words) == 1
    assert words[0].startswith("checkpoint 0001-000001 is damaged and was passed over: ")
    assert [*run.told[2].removed] == ["0001-000001"]
    assert {key.partition("/")[0] for key in run.keys if "/" in key} == {"0001-000000", "0002-000000", "0002-000001"}


def test_where_all_are_damaged_the_run_begins_anew_and_says_so(run: Run) -> None:
    """Each of them is named."""
    run.make(1, 2)
    for name in ("0001-000000", "0001-000001"):
        run.change(f"{name}/step.txt", b"")

    step, words = run.goes_on_from()

    assert step is None
    assert ["0001-000001" in words[0], "0001-000000" in words[1]] == [True, True]


def test_a_checkpoint_whose_manifest_was_never_written_is_none(run: Run) -> None:
    """Its worker was lost between its files and its manifest: nothing is damaged, and nobody is warned."""
    run.make(1, 2)
    run.change("0001-000001.json", None)

    assert run.goes_on_from() == (1, [])
    run.make(3, number=2)
    assert [*run.told[-1].removed] == ["0001-000001"]
    assert not [key for key in run.keys if key.startswith("0001-000001")]


def away(buckets: S3) -> SyncObjectStore:
    """The same store, at an address where nobody answers."""
    return SyncObjectStore(buckets.settings.model_copy(update={"endpoint": "http://127.0.0.1:9", "retries": 0}))


def test_a_store_that_is_away_keeps_no_run_from_its_work(run: Run, buckets: S3) -> None:
    """The newest wait, as many as would be kept, and are stored when it is back; the author is told once."""
    with run.attempt(place=Place(away(buckets), run.place.prefix), most=2) as made:
        for step in (1, 2, 3, 4):
            made.keep(run.copy(str(step)), Said(step=step))
        wait_for(lambda: bool(run.warned))
        made._place = run.place
        wait_for(lambda: len(run.told) >= 2)

    assert [each.checkpoint.step for each in run.told] == [3, 4]
    assert len(run.warned) == 1
    assert "waits for the object store" in run.warned[0]
    assert run.goes_on_from() == (4, [])


def test_an_attempt_does_not_begin_anew_because_the_store_is_away(run: Run, buckets: S3) -> None:
    """That would throw away what is there: it is an outage, and the attempt is tried again."""
    with (
        run.attempt(2, place=Place(away(buckets), run.place.prefix)) as made,
        pytest.raises(Exception, match=r"127\.0\.0\.1:9"),
    ):
        run.resumed(made)


def test_a_run_that_ends_while_the_store_is_away_says_what_is_not_kept(
    run: Run, buckets: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for long, and tells nothing afterwards: its worker may do something else by then."""
    with run.attempt(place=Place(away(buckets), run.place.prefix)) as made:
        made.keep(run.copy("1"), Said(step=1))
        wait_for(lambda: bool(run.warned))
    said = [*run.warned]

    made.keep(run.copy("2"), Said(step=2))
    wait_for(lambda: made._thread is not None and not made._thread.is_alive())

    assert said[-1] == "the checkpoint of step 1 is not kept: the run has ended before it was stored"
    assert (run.warned, run.told) == (said, [])


def test_what_waits_is_stored_before_the_run_ends(run: Run) -> None:
    """The last checkpoint of a run that fails may be the one that its author wants to look at."""
    with run.attempt() as made:
        for step in (1, 2, 3):
            made.keep(run.copy(str(step)), Said(step=step))

    assert [each.checkpoint.step for each in run.told] == [1, 2, 3]


def test_a_checkpoint_that_cannot_be_written_is_told_and_the_next_one_is_kept(run: Run) -> None:
    """Its place is taken, for instance; what was written of it goes."""
    run.place.store.put(BUCKET, b"other", key=f"{run.place.prefix}0001-000000/step.txt")
    with run.attempt() as made:
        made.keep(run.copy("1"), Said(step=1))
        made.keep(run.copy("2"), Said(step=2))

    assert [each.checkpoint.step for each in run.told] == [2]
    assert len(run.warned) == 1
    assert run.warned[0].startswith("the checkpoint of step 1 is not kept: ")
    assert run.goes_on_from() == (2, [])
    assert {key.partition("/")[0] for key in run.keys if "/" in key} == {"0001-000001"}


def test_an_installation_without_the_bucket_trains_and_says_that_nothing_is_kept(run: Run, buckets: S3) -> None:
    """It was upgraded, and its buckets were not made anew yet."""
    settings = buckets.settings.model_copy(update={"bucket_prefix": f"none-{uuid4().hex[:8]}-"})
    with run.attempt(place=Place(SyncObjectStore(settings), run.place.prefix)) as made:
        found = run.resumed(made)
        made.keep(run.copy("1"), Said(step=1))

    assert found.resumed is None
    assert found.damaged[0].startswith("checkpoints cannot be kept: ")
    assert len(run.warned) + len(run.told) == 1  # some servers make a bucket for who may write there


def test_manifests_go_first() -> None:
    """Whoever dies between two removals leaves no half of a checkpoint that looks like a whole one."""
    keys = ["m/r/0001-000000/a", "m/r/0001-000000.json", "m/r/0001-000001/deep/b", "m/r/0001-000001.json"]

    assert in_order_of_removal(keys, "m/r/") == [keys[1], keys[3], keys[0], keys[2]]
    assert module.BUCKET == "checkpoints"
