"""Commands about experiments: runs that make no version, what they differ in, and the one that becomes a version."""

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from headrace.cli.models import Model, Priority, priority_asked, progress, ran
from headrace.cli.runs import Id, runs
from headrace.cli.session import Json, Limit, Timeout, Wait, answer, listed, progress_console, say, session
from headrace.cli.tables import table
from headrace.client.errors import HeadraceError
from headrace.client.sdk import Document

_SHORT = 8  # first digits of a run's id, as the head of a column


def register(app: typer.Typer) -> None:
    """Add the commands to the command line; those about runs join the group of runs."""
    app.command()(run)


def run(
    ctx: typer.Context,
    model: Model,
    experiment: Annotated[str, typer.Option(help="Experiment that the run belongs to.")] = "default",
    param: Annotated[
        list[str] | None,
        typer.Option("--param", help="NAME=VALUE in place of a declared parameter; may be repeated."),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(
            help="YAML of a search in place of the declared one, or @FILE: '{space: {max_iter: {from: 9, ...'"
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed that replaces the declared one.")] = None,
    dataset_version: Annotated[int | None, typer.Option(min=1, help="A particular dataset version.")] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the run.")] = "experiment",
    priority: Priority = None,
    wait: Wait = False,
    timeout: Timeout = 1800,
    as_json: Json = False,
) -> None:
    """Try something: a training run that makes no version, until it is promoted.

    With --wait until it has ended; then exit code 1 where it failed or was cancelled.
    """
    wishes: dict[str, Any] = {"params": parameters(param or []), "seed": seed, "dataset_version": dataset_version}
    wishes |= {"search": searched(search)} if search is not None else {}
    wishes |= {"priority": priority_asked(priority)}
    with session(ctx).client() as client:
        asked = client.train(model, reason=reason, experiment=experiment, **wishes)
        if wait:
            with progress_console.status(f"run {asked['run']}") as status:
                seen = lambda at: status.update(progress(at))  # noqa: E731  one expression, used once
                asked = client.wait_for_run(asked["run"], timeout=timeout, seen=seen)
    answer(asked, as_json, lambda: say(_told(asked)))
    if wait and asked["state"] != "completed":
        raise typer.Exit(1)


@runs.command()
def compare(
    ctx: typer.Context,
    first: Id,
    others: Annotated[list[str], typer.Argument(help="Ids of the runs to compare it with.")],
    everything: Annotated[bool, typer.Option("--all", help="Also what is the same in all of them.")] = False,
    as_json: Json = False,
) -> None:
    """Show runs side by side: the parameters, metrics, data and code that they differ in."""
    ids = [first, *others]
    with session(ctx).client() as client:
        found = client.compare_runs(ids, differs=not everything)
    heads = _heads(ids)
    rows = [{**each, **dict(zip(heads, each["values"], strict=True))} for each in found["lines"]]
    answer(found, as_json, lambda: table(rows, ["part", "name", *heads], empty="the runs differ in nothing"))


@runs.command()
def trials(ctx: typer.Context, run: Id, limit: Limit = 1000, as_json: Json = False) -> None:
    """Show the trials of a search, best first: what each tried, its figure, and why one failed or was stopped."""
    with session(ctx).client() as client:
        search = client.run(run)
        found = listed(client, "trainer", "/runs", limit, trial_of=run)
    rows = ranked(found, bool((search.get("search") or {}).get("greater_is_better")))
    names = list(dict.fromkeys(name for row in rows for name in row["tried"]))
    shown = [{**{name: row["tried"].get(name) for name in names}, **row} for row in rows]
    columns = ["trial", "state", "metrics", *names, "why", "run"]
    answer(found, as_json, lambda: table(shown, columns, empty=f"run {run} has no trials; a search has some"))


@runs.command()
def promote(
    ctx: typer.Context,
    run: Id,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the run.")] = "asked for",
    as_json: Json = False,
) -> None:
    """Make a version of a completed run of an experiment; it meets the same gates as any other."""
    with session(ctx).client() as client:
        found = client.promote_run(run, reason)
    answer(found, as_json, lambda: say(f"run {run} becomes a version of {found['model']}; it is judged next"))


def ranked(trials: list[Document], greater_is_better: bool) -> list[Document]:
    """Trials with what they tried and why they ended: first those that were judged, the best coming first."""

    def place(trial: Document) -> tuple[bool, float, int]:
        judged = trial["state"] == "completed"
        value = next(iter(trial["outcome"]["metrics"].values())) if judged else 0.0
        return not judged, -value if greater_is_better else value, trial["trial"]

    return [_shown(each) for each in sorted(trials, key=place)]


def _shown(trial: Document) -> Document:
    """With its own state, which of one that was stopped early is no run's."""
    outcome = trial.get("outcome") or {}
    told = {"metrics": outcome.get("metrics"), "why": outcome.get("reason"), "tried": trial["params"]}
    return {**trial, **told, "state": outcome.get("state", trial["state"])}


def searched(given: str) -> dict[str, Any]:
    """A search as YAML, or from the file that `@FILE` names. Raises HeadraceError."""
    try:
        text = Path(given[1:]).read_text() if given.startswith("@") else given
        found = yaml.safe_load(text)
    except (OSError, yaml.YAMLError) as error:
        raise HeadraceError(f"--search: {error}") from error
    if not isinstance(found, dict):
        raise HeadraceError("--search takes a mapping such as '{space: {max_iter: {from: 50, to: 500}}, trials: 20}'")
    return found


def parameters(given: list[str]) -> dict[str, Any]:
    """Parameters as NAME=VALUE, the value read as YAML: numbers, truth values, lists. Raises HeadraceError."""
    found: dict[str, Any] = {}
    for each in given:
        name, sign, text = each.partition("=")
        if not sign or not name:
            raise HeadraceError(f"--param takes NAME=VALUE, such as max_iter=200; {each!r} is none")
        if name in found:
            raise HeadraceError(f"--param {name} is given twice")
        try:
            found[name] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise HeadraceError(f"--param {name}: {text!r} is no YAML value") from error
    return found


def _told(run: Document) -> str:
    metrics = (run.get("outcome") or {}).get("metrics") or {}
    figures = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
    return "\n".join([ran(run), *([f"  {figures}"] if figures else [])])


def _heads(ids: list[str]) -> list[str]:
    """The beginning of each id, where that tells them apart."""
    short = [each[:_SHORT] for each in ids]
    return short if len(set(short)) == len(ids) else ids
