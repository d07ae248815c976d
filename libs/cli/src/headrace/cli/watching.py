"""Commands about models in use: windows, drift, quality, alerts, risk, the model card."""

from typing import Annotated, Any

import typer

from headrace.cli.session import Json, Limit, answer, listed, say, session
from headrace.cli.tables import record, table
from headrace.client.http import path_of
from headrace.client.sdk import Document
from headrace.client.uris import ModelUri

Model = Annotated[str, typer.Argument(help="Name of the model.")]
Version = Annotated[int | None, typer.Option("--version", help="Default: the one that answered most rows.")]
ALERT = "headrace.alert.raised.v1"

risk = typer.Typer(no_args_is_help=True, help="Risk: rating, what was seen, and the review that people owe.")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (windows, drift, performance, alerts, deliveries, card):
        app.command()(command)
    app.add_typer(risk, name="risk")


def windows(ctx: typer.Context, model: Model, limit: Limit = 20, as_json: Json = False) -> None:
    """List judged windows, newest first, a version each: rows, truths, quality, share of drifted columns."""
    with session(ctx).client() as client:
        found = listed(client, "monitor", path_of("models", model, "windows"), limit)
    rows = [{**each, "window": span(each)} for each in found]
    columns = ["window", "version", "predictions", "truths", "metrics", "drift_share", "late"]
    answer(found, as_json, lambda: table(rows, columns, empty=f"no window of {model} is judged yet"))


def drift(ctx: typer.Context, model: Model, version: Version = None, as_json: Json = False) -> None:
    """Show drift a column in the newest window, and the columns that could not be judged."""
    with session(ctx).client() as client:
        found: Document = client.http.json(
            "GET", "monitor", path_of("models", model, "drift"), params=_given(version=version)
        )
    answer(found, as_json, lambda: _tell_drift(found))


def performance(ctx: typer.Context, model: Model, version: Version = None, as_json: Json = False) -> None:
    """Show quality in the newest window beside what was promised, and fairness by group."""
    with session(ctx).client() as client:
        found: Document = client.http.json(
            "GET", "monitor", path_of("models", model, "performance"), params=_given(version=version)
        )
    answer(found, as_json, lambda: record({**found, "window": span(found)}))


def alerts(
    ctx: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only of this model.")] = None,
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List alerts as the audit log has them, newest first."""
    with session(ctx).client() as client:
        events = listed(client, "audit", "/events", limit, type=ALERT, key=model)
    found = [{"at": each["time"], **each["data"]} for each in events]
    columns = ["at", "model", "kind", "severity", "version", "message"]
    answer(found, as_json, lambda: table(found, columns, empty="no alerts"))


def deliveries(ctx: typer.Context, model: Model, limit: Limit = 50, as_json: Json = False) -> None:
    """List who was told of a model's alerts (`monitoring.tell`), newest first, and who could not be."""
    with session(ctx).client() as client:
        found = listed(client, "monitor", path_of("models", model, "deliveries"), limit)
    columns = ["created_at", "kind", "severity", "channel", "to", "state", "sent_at", "reason"]
    answer(found, as_json, lambda: table(found, columns, empty=f"nobody was to be told of alerts of {model}"))


def card(
    ctx: typer.Context,
    uri: Annotated[str, typer.Argument(help="models:/NAME/VERSION or models:/NAME@ALIAS")],
    as_json: Json = False,
) -> None:
    """Print the model card of a version: Markdown with YAML front matter, from recorded facts alone."""
    wanted = ModelUri.parse(uri)
    with session(ctx).client() as client:
        number = client.version(wanted)["version"]
        path = path_of("models", wanted.name, "versions", number, "card")
        text = client.http.request("GET", "registry", path).text
    answer({"uri": f"models:/{wanted.name}/{number}", "card": text}, as_json, lambda: print(text))


@risk.command("show")
def show_risk(ctx: typer.Context, model: Model, as_json: Json = False) -> None:
    """Show the risk of a model, the signals behind it, and when its review is due."""
    with session(ctx).client() as client:
        found: Document = client.http.json("GET", "registry", path_of("models", model, "risk"))
    answer(found, as_json, lambda: _tell_risk(found))


@risk.command()
def review(
    ctx: typer.Context,
    model: Model,
    comment: Annotated[str, typer.Option(help="What was found; kept for ever.")],
    as_json: Json = False,
) -> None:
    """Note that people have looked at the risk again, and what they found."""
    with session(ctx).client() as client:
        path = path_of("models", model, "risk", "review")
        found: Document = client.http.json("POST", "registry", path, json={"comment": comment})
    answer(found, as_json, lambda: say(f"{model}: reviewed; the next review is due {found['review_due']}"))


def span(figures: Document) -> str:
    """A window by its beginning and end."""
    window = figures.get("window") or {}
    return f"{window.get('start', '?')} to {window.get('end', '?')}"


def _given(**params: Any) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _tell_drift(found: Document) -> None:
    share = found.get("drift_share")
    part = "not judged" if share is None else f"{share:.0%} of its columns drifted"
    say(f"{span(found)}, version {found.get('version')}: {part}")
    table(
        found.get("drift") or [],
        ["column", "role", "method", "score", "limit", "drifted"],
        empty="no column was judged",
    )
    for each in found.get("not_judged") or []:
        named = " ".join(str(each[name]) for name in ("column", "group") if each.get(name) is not None)
        say(f"not judged: {named or 'several columns'}: {each['reason']}")


def _tell_risk(found: Document) -> None:
    due = "is due" if found["due"] else "is next due"
    say(
        f"{found['model']}: {found['rating']} risk, {found['score']:.2f} (probability {found['probability']:.2f}, "
        f"impact {found['impact']:.2f}); its review {due} {found['review_due']}"
    )
    table(found["signals"], ["kind", "version", "at", "detail"], empty="nothing was seen that raises it")
