"""The end of the story in figures: one document, from which tables and the report are made."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from headrace.client.sdk import Document
from headrace.demo.checks import Check, Evidence
from headrace.demo.story import month_of


def summarise(evidence: Evidence, checks: Sequence[Check], *, seconds: float, peak: int) -> Document:
    """Everything worth keeping of one story; sizes in bytes, times in seconds."""
    outcome, tally = evidence.outcome, evidence.tally
    return {
        "model": outcome.model,
        "held": all(check.held for check in checks),
        "seconds": round(seconds, 1),
        "peak_memory_bytes": peak,
        "checks": [{"check": c.sentence, "held": c.held, "seen": c.seen} for c in checks],
        "requests": tally.requests,
        "failed_requests": len(tally.failures),
        "predictions": tally.predictions + 1,
        "predictions_by_version": tally.by_version,
        "truths": tally.truths,
        "versions": [_version(evidence, version) for version in outcome.versions],
        "months": [_month(window) for window in outcome.windows],
        "promotions": _promotions(evidence),
        "retraining": [
            {"at": round(r.at, 1), "reason": r.data["reason"]} for r in evidence.event_log.all("request.training")
        ],
        "events": dict(sorted(Counter(event.type for event in evidence.event_log).items())),
        "event_count": len(evidence.event_log),
        "audit": outcome.verification,
        "trace": outcome.trace,
    }


def _version(evidence: Evidence, version: Document) -> Document:
    names = ("version", "state", "aliases", "metrics", "digest", "created", "run")
    met = _judged(evidence, version["version"]).get("comparisons")
    return {**{name: version.get(name) for name in names}, "comparisons": met or []}


def _month(window: Document) -> Document:
    drift: list[Document] = window.get("drift") or []
    return {
        "month": month_of(window),
        "version": window["version"],
        "predictions": window.get("predictions"),
        "truths": window.get("truths"),
        "metrics": window.get("metrics") or {},
        "reference": window.get("reference") or {},
        "drift_share": window.get("drift_share"),
        "drifted": [d["column"] for d in drift if d.get("drifted")],
        "drift": {d["column"]: d["score"] for d in drift},
    }


def _promotions(evidence: Evidence) -> list[Document]:
    return [_promotion(evidence, e.data, e.at) for e in evidence.event_log.all("alias.moved", _champion)]


def _promotion(evidence: Evidence, moved: Any, at: float) -> Document:
    metrics = _judged(evidence, moved["version"])
    return {
        "at": round(at, 1),
        "version": moved["version"],
        "previous": moved.get("previous"),
        "reason": moved["reason"],
        "holdout_rows": metrics.get("rows"),
        "metrics": metrics.get("metrics"),
        "comparisons": metrics.get("comparisons") or [],
    }


def _judged(evidence: Evidence, version: int) -> Any:
    """What the last evaluation of a version said; empty where there was none."""
    found = evidence.event_log.all("evaluation.completed", lambda d: d["candidate"] == version)
    return found[-1].data if found else {}


def _champion(data: Any) -> bool:
    return bool(data["alias"] == "champion")
