"""The story as one self-contained HTML page with plots; it needs no network and no script."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import jinja2
import matplotlib as mpl
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from headrace.client.sdk import Document

INK, BAD = "#1d2733", "#c0392b"
TEMPLATE = Path(__file__).with_name("report.html.j2")


def write_report(summary: Document, declaration: Document, to: Path) -> Path:
    """Write the page for one story's summary; returns its path."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True)  # S701 is met: everything is escaped
    page = environment.from_string(TEMPLATE.read_text()).render(
        s=summary,
        purpose=declaration["purpose"],
        figures=_figures(summary),
        metrics=declaration["evaluation"]["metrics"],
        quality_plot=_quality(summary, declaration["monitoring"]["performance"]["metric"]),
        drift_plot=_drift(summary),
    )
    to.write_text(page)
    return to


def _figures(summary: Document) -> list[tuple[str, str]]:
    promoted = sum(1 for promotion in summary["promotions"] if promotion["previous"])
    return [
        (f"{summary['predictions']:,}", "predictions answered"),
        (str(summary["failed_requests"]), "failed requests"),
        (str(len(summary["versions"])), "versions trained"),
        (str(promoted), "promotions over a champion"),
        (f"{summary['event_count']:,}", "events"),
        (f"{summary['seconds']:.0f} s", "for the whole story"),
        (f"{summary['peak_memory_bytes'] / 1e9:.1f} GB", "peak memory"),
    ]


def _quality(summary: Document, metric: str) -> Markup:
    """The metric month by month, a line for each version, beside what the version promised on its holdout."""
    months = [month for month in summary["months"] if metric in month["metrics"]]
    names = sorted({month["month"] for month in months})
    figure, axes = _canvas(3.2)
    for version in sorted({month["version"] for month in months}):
        own = [month for month in months if month["version"] == version]
        _line(axes, [names.index(m["month"]) for m in own], own, metric)
    axes.set_xticks(range(len(names)), names)
    axes.margins(y=0.25)
    axes.plot([], [], "o-", color=INK, label=f"{metric} in service")
    axes.plot([], [], "_", color=INK, markersize=18, label="promised on the holdout")
    axes.legend(frameon=False, loc="lower right")
    return _svg(figure)


def _line(axes: Axes, places: Sequence[int], own: Sequence[Document], metric: str) -> None:
    """One version: its quality in service as a line, its promise as a dash in the same colour."""
    served = [month["metrics"][metric] for month in own]
    (line,) = axes.plot(places, served, "o-")
    promised = [month["reference"].get(metric, np.nan) for month in own]
    axes.plot(places, promised, "_", color=line.get_color(), markersize=18)
    for place, value in zip(places, served, strict=True):
        text = f"v{own[0]['version']}"
        axes.annotate(text, (place, value), xytext=(0, 9), textcoords="offset points", ha="center")


def _drift(summary: Document) -> Markup:
    """Drift scores as a heat map, columns by months; marked where over the limit."""
    months = [month for month in summary["months"] if month["drift"]]
    columns = sorted({column for month in months for column in month["drift"]})
    scores = np.array([[month["drift"].get(column, np.nan) for month in months] for column in columns], dtype=float)
    figure, axes = _canvas(0.6 + 0.27 * max(len(columns), 1))
    if scores.size:
        _heat(axes, scores, columns, months)
    return _svg(figure)


def _heat(axes: Axes, scores: np.ndarray, columns: Sequence[str], months: Sequence[Document]) -> None:
    top = max(0.3, float(np.nanmax(scores)))
    axes.imshow(scores, aspect="auto", cmap="Blues", vmin=0, vmax=top)
    axes.set_yticks(range(len(columns)), columns)
    axes.set_xticks(range(len(months)), [f"{month['month']}\nv{month['version']}" for month in months])
    for (row, place), score in np.ndenumerate(scores):
        over = columns[row] in months[place]["drifted"]
        colour = "white" if score > 0.55 * top else BAD if over else INK
        text = f"{score:.2f}{' drifted' if over else ''}"
        axes.text(place, row, text, ha="center", va="center", fontsize=8, color=colour, weight="bold" if over else None)


def _canvas(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(10, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> Markup:
    """A figure as inline SVG; its text stays text, so that a page search finds it."""
    text = StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(text, format="svg", transparent=True)
    drawn = text.getvalue()
    return Markup(drawn[drawn.index("<svg") :])
