"""What the parts of a stack say of themselves: ready, degraded, not ready, with the reasons."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from headrace.client.http import public_authorities
from headrace.contracts.services import PORTS
from headrace.local import Part

ANSWER_S = 5.0  # a service asks its database for two seconds at most
SILENT = "no answer"
UNWELL = {"not ready", SILENT}
Readiness = dict[str, Any]


def readiness_of(parts: Sequence[Part]) -> list[Readiness]:
    """{state, problems, degraded} of each part; the state of what has no readiness of its own is empty."""
    with ThreadPoolExecutor(max(1, len(parts))) as pool:
        return list(pool.map(_readiness, parts))


def _readiness(part: Part) -> Readiness:
    if part.name not in PORTS:
        return {"state": "", "problems": {}, "degraded": {}}
    return asked(part.address)


def asked(url: str) -> Readiness:
    """What a service or a replica at `url` says of itself."""
    try:
        answer = httpx.get(f"{url}/ready", timeout=ANSWER_S, trust_env=False, verify=public_authorities())
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return {"state": SILENT, "problems": {"http": f"{type(error).__name__} at {url}"}, "degraded": {}}
    problems, degraded = dict(told.get("problems") or {}), dict(told.get("degraded") or {})
    state = "not ready" if answer.status_code != 200 else "degraded" if degraded or problems else "ready"
    return {"state": state, "problems": problems, "degraded": degraded}
