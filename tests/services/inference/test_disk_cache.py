"""What a replica keeps on its disk, and how it starts while the object store is away or hangs."""

import asyncio
import shutil
from pathlib import Path

import pytest

from headrace.contracts import Artifact
from headrace.testkit.waiting import eventually

from .conftest import NUMBERS, Alone, Folder, Lonely, Model, changed, make_model, matrix

ROW = [1.0, 2.0, 3.0, 4.0]
MANY = 25  # more than a replica keeps of what no table names


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    """More models than a cache without care would keep."""
    folder = tmp_path_factory.mktemp("many")
    return [make_model(folder / str(seed), NUMBERS, seed=100 + seed) for seed in range(MANY)]


class Hanging(Folder):
    """A store that takes requests and never answers, each on a thread of the client's."""

    def __init__(self, *models: Model) -> None:
        super().__init__(*models)
        self.asked = 0
        self.hung = asyncio.Event()

    async def get_directory(self, artifact: Artifact, to: Path) -> Path:
        """Nothing, until the test is over."""
        self.asked += 1
        await self.hung.wait()
        return await super().get_directory(artifact, to)


def cached(made: Alone) -> set[str]:
    """Digests on the disk."""
    return {folder.name for folder in (made.replica.settings.cache_dir / "models").iterdir() if folder.name[0] != "."}


def copied(made: Alone) -> Path:
    """Its disk, for another process."""
    disk = made.replica.settings.cache_dir
    shutil.copytree(disk, disk.with_name("again"))
    return disk.with_name("again")


async def serve_all(made: Alone, models: list[Model]) -> None:
    """A table for each."""
    for number, model in enumerate(models):
        made.replica.repository.apply(changed(f"m{number}", model.route()))
    made.replica.informed = True
    await eventually(lambda: made.replica.repository.settled)


async def recalled(made: Alone) -> None:
    """What a start does before it hears from the broker."""
    made.replica.informed = made.replica.repository.recall() > 0


async def answers(made: Alone, many: int) -> int:
    """How many of so many models answer."""
    asked = [await made.http.post(f"/v2/models/m{at}/infer", json=matrix(ROW)) for at in range(many)]
    return sum(answer.status_code == 200 for answer in asked)


@pytest.mark.parametrize("trouble", ["away", "hanging"])
async def test_a_restarted_replica_serves_everything_it_had_without_the_store(
    trouble: str, alone: Lonely, models: list[Model]
) -> None:
    """However many models that is: what is routed is not dropped from the disk, and is read without asking anybody."""
    first: Alone = await alone(*models)
    await serve_all(first, models)
    assert cached(first) == {model.artifact.digest for model in models}
    store = Hanging() if trouble == "hanging" else Folder()
    store.away = True

    second: Alone = await alone(store=store, cache_dir=copied(first))
    await recalled(second)
    await eventually(lambda: second.replica.repository.settled)

    assert await answers(second, MANY) == MANY
    assert (await second.http.get("/ready")).status_code == 200


async def test_models_on_the_disk_do_not_wait_for_those_that_are_not(alone: Lonely, models: list[Model]) -> None:
    """Twenty fetches that hang hold up nothing but themselves, and the store is not asked by all of them at once."""
    first: Alone = await alone(*models)
    await serve_all(first, models[20:])
    store = Hanging(*models)
    second: Alone = await alone(store=store, cache_dir=copied(first))

    for number, model in enumerate(models[:20], len(models[20:])):
        second.replica.repository.apply(changed(f"m{number}", model.route()))
    await recalled(second)
    known = len(models[20:])
    await eventually(lambda: len(second.replica.repository.tables) == known)

    assert await answers(second, known) == known
    assert store.asked == 4
    store.hung.set()
    await eventually(lambda: second.replica.repository.settled)
    assert await answers(second, MANY) == MANY


async def test_what_no_table_names_any_more_is_dropped_in_the_end(alone: Lonely, models: list[Model]) -> None:
    """The newest twenty stay, for a way back; nothing is dropped before the tables are known."""
    made: Alone = await alone(*models)
    for revision, model in enumerate(models, 1):
        made.replica.repository.apply(changed("m", model.route(revision), revision=revision))
        await eventually(lambda: made.replica.repository.settled)
    unaware = len(cached(made))
    made.replica.informed = True
    await made.serve("other", models[0].route())

    assert unaware == MANY
    assert len(cached(made)) == 22
    assert {models[-1].artifact.digest, models[0].artifact.digest} <= cached(made)


async def test_an_update_that_cannot_be_fetched_keeps_the_replica_ready(alone: Lonely, models: list[Model]) -> None:
    """The last table goes on answering; otherwise a store that is away would take every replica out of service."""
    store = Folder(models[0])
    made: Alone = await alone(store=store)
    await made.serve("m0", models[0].route())
    store.away = True

    await made.serve("m0", models[1].route(2), revision=2, settle=False)
    await eventually(lambda: "m0" in made.replica.repository.troubles)
    ready = await made.http.get("/ready")

    assert ready.status_code == 200
    assert "away" in ready.json()["problems"]["m0"]
    assert await answers(made, 1) == 1


async def test_two_models_of_one_artifact_are_fetched_once(alone: Lonely, models: list[Model]) -> None:
    """Loaded in the same moment, the second does not take the folder away that the first reads."""
    store = Folder(models[0])
    made = await alone(models[0], store=store)
    for name in ("one", "other", "third"):
        made.replica.repository.apply(changed(name, models[0].route()))
    await eventually(lambda: made.replica.repository.settled)

    assert store.fetched == 1
    assert dict(made.replica.repository.troubles) == {}


async def test_a_replica_says_that_the_store_does_not_answer_and_is_ready(alone: Lonely, models: list[Model]) -> None:
    """What is on its disk is served; what is new would wait."""
    store = Folder(models[0])
    made: Alone = await alone(store=store)
    await serve_all(made, models[:1])
    store.away = True

    keeping = asyncio.create_task(made.replica.keep())
    await eventually(lambda: "objects" in made.replica.details()["degraded"])
    assert made.replica.ready()
    assert await answers(made, 1) == 1

    store.away = False
    await eventually(lambda: "objects" not in made.replica.details()["degraded"])
    keeping.cancel()
