"""Versions that answer in processes of their own: served like any other, and nobody else's trouble."""

import asyncio
import contextlib
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from headrace.contracts import Signature, Tensor
from headrace.runtimes import Description, write_directory
from headrace.runtimes.process import launch
from headrace.testkit.waiting import eventually

from .conftest import Alone, Lonely, Model, artifact_of, matrix, open_port

CODE = """
import os, time

def predict(columns):
    kind = columns["x0"][0]
    if kind == 1: os._exit(3)
    if kind == 2: time.sleep(600)
    if kind == 3: raise ValueError("no such season")
    if kind == 4: return {"label": [0], "probability": [float("nan")]}
    if kind == 5: time.sleep(0.3)
    rows = len(columns["x0"])
    return {"label": [1] * rows, "probability": [0.25] * rows}
"""
BAD_START = "raise SystemExit('no forest here')"
ASLEEP = "import time; time.sleep(600)"


def of_code(folder: Path, code: str = CODE, **options: Any) -> Model:
    """A model of four numbers in a process of its own; the first number says what it does."""
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(code)
    signature = Signature(
        task="binary",
        inputs=[Tensor(name=f"x{at}", datatype="FP64", shape=[-1], nullable=False) for at in range(4)],
        outputs=[
            Tensor(name="label", datatype="INT64", shape=[-1], labels=[0, 1]),
            Tensor(name="probability", datatype="FP64", shape=[-1], label=1),
        ],
    )
    told = {"python": {"module": "model"}, "timeout_ms": 1500, **options}
    about = {"run": "run-1", "created": datetime(2026, 1, 5, tzinfo=UTC).isoformat()}
    described = Description("process", signature, options=told)
    write_directory(folder, described, about=about, flavors={}, packages=[], example={})
    return Model(folder, artifact_of(folder), signature)


def asking(kind: float) -> dict[str, Any]:
    """A row that says what the process is to do."""
    return matrix([kind, 0.0, 0.0, 0.0])


async def ask(served: Alone, model: str, kind: float = 0) -> httpx.Response:
    """A prediction of one row."""
    return await served.http.post(f"/v2/models/{model}/infer", json=asking(kind))


def children() -> set[int]:
    """The processes of models that this one has started and not yet buried."""
    return {each.pid for each in psutil.Process().children() if _is_launcher(each)}


def _is_launcher(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return launch.__file__ in process.cmdline()
    return False


@pytest.fixture
async def served(alone: Lonely, numbers: Model, tmp_path: Path) -> Alone:
    """A replica with a model in a process, and one in a graph beside it."""
    code = of_code(tmp_path / "code")
    made: Alone = await alone(code, numbers)
    await made.serve("code", code.route())
    await made.serve("numbers", numbers.route())
    return made


async def test_a_version_in_a_process_is_served_like_any_other(served: Alone) -> None:
    """By V2 and by MLflow's scoring; its metadata say what answers."""
    answer = await ask(served, "code")
    scored = await served.http.post("/invocations?model=code", json={"inputs": {f"x{at}": [0.5] for at in range(4)}})
    about = (await served.http.get("/v2/models/code")).json()

    assert [each["data"] for each in answer.json()["outputs"]] == [[1], [0.25]]
    assert scored.status_code == 200, scored.text
    assert about["platform"] == "headrace_process"


async def test_through_an_open_port_it_is_answered_off_the_short_cut(
    alone: Lonely, numbers: Model, tmp_path: Path
) -> None:
    """A hanging request holds neither the port nor its other models, nor what is asked of the replica."""
    code = of_code(tmp_path / "code", timeout_ms=60_000)
    made = await alone(code, numbers)
    await made.serve("code", code.route())
    await made.serve("numbers", numbers.route())
    async with (
        open_port(made.replica) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=100) as http,
    ):
        hanging = asyncio.create_task(http.post("/v2/models/code/infer", json=asking(2)))
        await eventually(lambda: made.replica.repository.table("code").pool._inside == 1)
        for _ in range(10):
            assert (await http.post("/v2/models/numbers/infer", json=asking(0.5))).status_code == 200
            assert (await http.get("/v2/health/ready")).status_code == 200
        assert not hanging.done()
        for pid in children():
            os.killpg(pid, signal.SIGKILL)
        assert (await hanging).status_code == 503


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (1, 503, "version 1 of model 'code' cannot answer now: its process was lost, and is started anew: it ended"),
        (2, 503, "it did not answer in time"),
        (3, 500, "version 1 of model 'code' failed: its code failed: ValueError: no such season"),
        (4, 500, "output 'probability': row 0 is nan, which is no number"),
    ],
)
async def test_what_goes_wrong_in_a_process_is_told_to_its_caller(
    served: Alone, kind: int, status: int, reason: str
) -> None:
    """503 where another attempt may help, 500 where it will not; the next request is answered."""
    refused = await ask(served, "code", kind)

    assert (refused.status_code, refused.headers.get("retry-after")) == (status, "1" if status == 503 else None)
    assert reason in refused.json()["error"]
    await eventually(lambda: _answered(served, "code"))


async def test_one_that_always_dies_is_not_ready_and_says_so(served: Alone) -> None:
    """In the replica's details and the index; the replica and its other models stay ready."""
    for _ in range(5):
        await ask(served, "code", 1)

    details = (await served.http.get("/ready")).json()
    index = {each["name"]: each for each in (await served.http.post("/v2/repository/index")).json()}
    refused = await ask(served, "code")
    assert "version 1: its process ended 5 times in a row" in details["problems"]["code"]
    assert details["ready"]
    assert (index["code"]["state"], index["numbers"]["state"]) == ("UNAVAILABLE", "READY")
    assert "exit code 3" in index["code"]["reason"]
    assert (await served.http.get("/v2/models/code/ready")).status_code == 503
    assert (refused.status_code, "5 times in a row" in refused.json()["error"]) == (503, True)
    assert (await ask(served, "numbers", 0.5)).status_code == 200
    await eventually(lambda: _answered(served, "code"))
    assert (await served.http.get("/v2/models/code/ready")).status_code == 200


async def test_a_canary_in_a_process_that_dies_is_answered_for_by_the_champion(
    alone: Lonely, numbers: Model, tmp_path: Path
) -> None:
    """Each failure counts against it; no caller notices."""
    canary = of_code(tmp_path / "canary")
    made = await alone(numbers, canary)
    await made.serve("m", numbers.route(1, percent=0), canary.route(2, "canary", 100))
    answers = [await ask(made, "m", kind) for kind in (0, 1, 3)]

    assert [each.status_code for each in answers] == [200, 200, 200]
    assert [each.json()["model_version"] for each in answers] == ["2", "1", "1"]
    assert made.replica.repository.stats[("m", 2, "canary")].errors == 2


async def test_a_champion_in_a_process_answers_for_a_canary(alone: Lonely, tmp_path: Path) -> None:
    """In the threads of the version that was asked, not in the loop's."""
    champion = of_code(tmp_path / "champion", CODE.replace("0.25", "0.75"))
    canary = of_code(tmp_path / "canary", "def predict(columns): raise ValueError('untrained')")
    made = await alone(champion, canary)
    await made.serve("m", champion.route(1, percent=0), canary.route(2, "canary", 100))

    answer = (await ask(made, "m")).json()

    assert (answer["model_version"], answer["outputs"][1]["data"]) == ("1", [0.75])


async def test_a_shadow_in_a_process_is_asked_after_the_answer(alone: Lonely, numbers: Model, tmp_path: Path) -> None:
    """A champion in a graph keeps its speed: nobody waits for the shadow, and its failures are its own."""
    shadow = of_code(tmp_path / "shadow")
    made = await alone(numbers, shadow)
    await made.serve("m", numbers.route(1), shadow.route(2, "shadow", 0))
    stats = made.replica.repository.stats[("m", 2, "shadow")]

    assert (await ask(made, "m", 5)).status_code == 200
    assert stats.requests == 0
    await eventually(lambda: stats.requests == 1)
    await ask(made, "m", 3)
    await eventually(lambda: stats.errors == 1)
    assert b"/v2/models/m/infer" in made.replica.app.infer_paths


async def test_what_waits_for_one_model_is_bounded(served: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that sends more than is answered gets 503 at once, instead of all memory."""
    pool = served.replica.repository.table("code").pool
    assert pool is not None
    monkeypatch.setattr(pool, "_most", 4)

    answers = await asyncio.gather(*(ask(served, "code", 5) for _ in range(8)))

    refused = [each.json()["error"] for each in answers if each.status_code == 503]
    assert len(refused) >= 4
    assert "4 requests wait for this model already" in refused[0]


async def test_a_process_that_does_not_start_is_refused_and_holds_up_no_other_model(
    alone: Lonely, numbers: Model, tmp_path: Path
) -> None:
    """With the last lines that it wrote; three that never say hello take threads of their own."""
    asleep = [of_code(tmp_path / f"asleep-{at}", f"{ASLEEP}  # {at}", start_timeout_s=3) for at in range(3)]
    broken = of_code(tmp_path / "broken", BAD_START)
    made = await alone(numbers, broken, *asleep)
    for at, each in enumerate(asleep):
        await made.serve(f"asleep-{at}", each.route(), settle=False)
    await made.serve("broken", broken.route(), settle=False)
    await made.serve("numbers", numbers.route(), settle=False)

    await eventually(lambda: _answered(made, "numbers"))
    unsettled = {model for model, entry in made.replica.repository._models.items() if not entry.settled}
    assert unsettled >= {"asleep-0", "asleep-1", "asleep-2"}
    await eventually(lambda: made.replica.repository.settled)
    troubles = made.replica.repository.troubles
    assert (
        "its process does not start: it ended with exit code 1; the last it wrote: no forest here" in troubles["broken"]
    )
    assert "it did not say hello in time" in troubles["asleep-1"]


async def test_a_version_that_is_replaced_takes_its_process_with_it(
    alone: Lonely, numbers: Model, tmp_path: Path
) -> None:
    """Once nobody answers with it any more; the short cut is open again for the graph that follows."""
    before = children()
    code = of_code(tmp_path / "code")
    made = await alone(code, numbers)
    await made.serve("m", code.route(1))
    assert b"/v2/models/m/infer" not in made.replica.app.infer_paths
    held = made.replica.repository.table("m").any().loaded
    assert 1 << 20 < held.memory_bytes < 1 << 30
    told = (await made.http.get("/metrics")).text
    (line,) = [line for line in told.splitlines() if line.startswith("headrace_inference_model_bytes{")]
    assert 'model_name="m",model_version="1",route="champion"' in line
    assert 1 << 20 < float(line.rpartition(" ")[2]) < 1 << 30
    del held

    await made.serve("m", numbers.route(2), revision=2)

    await eventually(lambda: children() <= before)
    assert b"/v2/models/m/infer" in made.replica.app.infer_paths
    assert (await ask(made, "m", 0.5)).json()["model_version"] == "2"


async def test_a_replica_that_stops_waits_for_no_hanging_process(alone: Lonely, numbers: Model, tmp_path: Path) -> None:
    """It ends them; who waits for one is told."""
    code = of_code(tmp_path / "code", timeout_ms=60_000)
    made = await alone(code)
    await made.serve("code", code.route())
    hanging = asyncio.create_task(ask(made, "code", 2))
    await asyncio.sleep(0.2)

    await made.replica.repository.close()

    assert (await asyncio.wait_for(hanging, 10)).status_code == 503


async def test_killed_processes_are_replaced_while_callers_go_on(alone: Lonely, tmp_path: Path) -> None:
    """A kill every moment costs at most the request that was in hand."""
    code = of_code(tmp_path / "code", workers=2, timeout_ms=10_000)
    made = await alone(code)
    await made.serve("code", code.route())
    kills = 0
    statuses = []
    for at in range(60):
        if at % 20 == 10:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(min(children()), signal.SIGKILL)
                kills += 1
        statuses.append((await ask(made, "code")).status_code)

    assert kills == 3
    assert statuses.count(200) >= 57
    assert set(statuses) <= {200, 503}


async def _answered(served: Alone, model: str) -> bool:
    return (await ask(served, model, 0.0)).status_code == 200
