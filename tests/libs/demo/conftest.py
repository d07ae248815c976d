"""A small story to make reports of."""

from typing import Any

import pytest


@pytest.fixture
def summary() -> dict[str, Any]:
    """A summary as a short story leaves it: two months, one promotion."""
    comparison = {
        "metric": "roc_auc", "candidate": 0.674, "champion": 0.627, "difference": 0.047,
        "low": 0.038, "high": 0.055, "confidence": 0.95, "resamples": 200,
    }  # fmt: skip
    return {
        "model": "flights-delay",
        "held": True,
        "seconds": 142.5,
        "peak_memory_bytes": 2_900_000_000,
        "checks": [{"check": "no prediction request failed", "held": True, "seen": "480 requests, 0 failed"}],
        "requests": 480,
        "failed_requests": 0,
        "predictions": 57_231,
        "predictions_by_version": {"1": 29_000, "2": 28_231},
        "truths": 56_000,
        "versions": [_version(2, ["champion"], comparison), _version(1, [])],
        "months": [_month("2013-03", 1, 0.711, []), _month("2013-04", 1, 0.631, ["temp", "dewp"])],
        "promotions": [
            {"version": 1, "previous": None, "comparisons": [], "metrics": {}, "at": 20.0, "reason": "first"},
            {"version": 2, "previous": 1, "comparisons": [comparison], "metrics": {}, "at": 90.0, "reason": "better"},
        ],
        "events": {"prediction.logged": 480, "training.completed": 2},
        "event_count": 482,
        "audit": {"whole": True, "entries": 1200, "root": "ab" * 32},
        "trace": {"events": [{"type": "headrace.dataset.ingested.v1", "time": "2026-01-01T00:00:00Z",
                              "authid": "key:admin", "id": "e1"}]},
    }  # fmt: skip


@pytest.fixture
def declaration() -> dict[str, Any]:
    """The parts of a declaration that a report reads."""
    return {
        "purpose": "Warn travellers <early>.",
        "evaluation": {"metrics": ["roc_auc", "brier"]},
        "monitoring": {"performance": {"metric": "roc_auc", "drop": 0.03}},
    }


def _version(number: int, aliases: list[str], *comparisons: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": number, "state": "approved", "aliases": aliases, "metrics": {"roc_auc": 0.7, "brier": 0.12},
        "digest": "c" * 64, "comparisons": list(comparisons),
    }  # fmt: skip


def _month(name: str, version: int, quality: float, drifted: list[str]) -> dict[str, Any]:
    drift = {"temp": 0.4, "dewp": 0.2, "carrier": 0.01}
    return {
        "month": name, "version": version, "predictions": 28_000, "truths": 27_500, "drift": drift,
        "metrics": {"roc_auc": quality, "brier": 0.1}, "reference": {"roc_auc": 0.706}, "drift_share": 0.1,
        "drifted": drifted,
    }  # fmt: skip
