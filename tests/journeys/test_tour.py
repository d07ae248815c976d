"""The tour of the README, command by command, as a person types it into a folder with a running stack."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headrace.cli.app import DONE, REFUSED, run

World = Any
Type = Callable[..., Any]
MODEL, DATASET = "toured", "tour"


@pytest.fixture
def typed(world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Type:
    """Type a command with --json; returns its answer, and checks its exit code."""
    monkeypatch.chdir(world.stack.layout.folder.parent)

    def command(*words: str, ends: int = DONE) -> Any:
        capsys.readouterr()
        code = run([*words, "--json"])
        out = capsys.readouterr().out
        assert code == ends, f"headrace {' '.join(words)} ended with {code}: {out}"
        return json.loads(out)

    return command


def test_the_tour_of_the_readme(world: World, typed: Type, tmp_path: Path) -> None:
    """Declare, ingest, train, predict, tell the truth, trace and verify: each answers, and they fit together."""
    applied = typed("apply", _declaration(tmp_path))
    assert [each["name"] for each in applied] == [MODEL]
    assert typed("ingest", DATASET, str(world.csv(world.first(), "tour.csv")), "--wait")["rows"] == len(world.first())
    world.wait("rollout.completed", model=MODEL, version=1)

    trained = typed("train", MODEL, "--wait", "--reason", "the tour")
    assert (trained["version"], trained["state"]) == (2, "approved")
    world.wait("rollout.completed", model=MODEL, version=2)
    assert [each["version"] for each in typed("versions", MODEL)] == [2, 1]
    assert typed("show", f"models:/{MODEL}@champion")["version"] == 2

    rows = world.csv(world.first()[world.features].head(5), "questions.csv")
    answers = typed("predict", MODEL, "--input", str(rows))
    assert len(answers) == 5
    assert typed("truth", MODEL, str(_truth(tmp_path, answers)))
    traced = _traced(world, typed, answers[0]["prediction_id"])
    assert [source["source_name"] for source in traced["sources"]] == ["tour.csv"]
    assert (traced["run"], traced["version"]) == (trained["run"], 2)
    assert typed("verify")["whole"]
    again = typed("reproduce", f"models:/{MODEL}/2", "--wait")
    assert again["reproduction"]["reproduced"], again["reproduction"]
    assert (again["reproduction"]["run"], again["reproduction"]["by"]) == (trained["run"], "artifact")
    assert [each["version"] for each in typed("versions", MODEL)] == [2, 1]


def test_what_people_read_names_the_chain(
    world: World, typed: Type, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Without --json, a trace tells prediction, model, run, dataset and file, each with who and when."""
    answer = world.predict("tumours", world.first().head(1))
    prediction = answer["parameters"]["prediction_id"]
    _traced(world, typed, prediction)

    capsys.readouterr()
    assert run(["trace", prediction]) == DONE

    told = capsys.readouterr().out
    for name in ("prediction", "model", "run", "dataset", "source file", "dataset.ingested", "key:admin"):
        assert name in told


def test_what_is_refused_says_so_by_its_exit_code(world: World, typed: Type) -> None:
    """A script sees it without reading."""
    assert "nobody" in typed("train", "nobody", ends=REFUSED)["error"]
    assert "error" in typed("show", "models:/nobody/1", ends=REFUSED)
    assert "error" in typed("trace", "no-such-prediction", ends=REFUSED)


def test_a_bad_request_by_event_is_parked_shown_and_dropped(world: World, typed: Type) -> None:
    """Published, refused with the reason, kept for a person, said again in vain, given up."""
    stored = typed("publish", "headrace.request.training.tumours", '{"seed": "many"}')
    assert stored["stream"] == "REQUESTS"
    refused = world.wait("request.refused", request_id=f"operator:REQUESTS-{stored['seq']}")
    assert "seed" in refused.data["reason"]

    place = ("REQUESTS", stored["seq"])
    (dead_letter,) = [each for each in typed("dead-letters", "list") if (each["stream"], each["seq"]) == place]
    shown = typed("dead-letters", "show", dead_letter["id"])
    assert "seed" in shown["reason"]
    typed("dead-letters", "drop", dead_letter["id"])
    assert dead_letter["id"] not in [each["id"] for each in typed("dead-letters", "list")]


def test_status_and_logs_show_every_part(world: World, typed: Type, capsys: pytest.CaptureFixture[str]) -> None:
    """With its process and where it answers; and what it has logged."""
    parts = {part["name"]: part for part in typed("status")}
    assert {"nats", "s3", "ray", "ingest", "inference"} <= set(parts)
    assert {parts[name]["state"] for name in ("ingest", "registry", "inference")} <= {"ready", "degraded"}
    assert parts["nats"]["state"] == ""
    assert parts["registry"]["address"] == world.stack.addresses()["services"]["registry"]

    assert run(["logs", "registry"]) == DONE
    assert "started" in capsys.readouterr().out


def _declaration(folder: Path) -> str:
    file = folder / "model.yaml"
    file.write_text(
        f"kind: Model\nname: {MODEL}\ndata: {{dataset: {DATASET}, target: target, time: seen_at}}\n"
        "training: {estimator: sklearn.linear_model.LogisticRegression, params: {max_iter: 500}}\n"
        "evaluation: {gates: [{metric: roc_auc, at_least: 0.7}]}\n"
        "serving: {strategy: canary, steps: [100], bake: PT0.2S}\n"
    )
    return str(file)


def _truth(folder: Path, answers: list[dict[str, Any]]) -> Path:
    file = folder / "truth.csv"
    file.write_text("prediction_id,value\n" + "".join(f"{each['prediction_id']},1\n" for each in answers))
    return file


def _traced(world: World, typed: Type, prediction: str) -> Any:
    """The trace once audit has read all of it."""
    world.wait_until_good(lambda: world.client.trace(prediction), lambda trace: not trace["missing"])
    return typed("trace", prediction)
