"""`make audit`: are there known holes in what the lock holds? Asks PyPI's advisory database through pip-audit.

Says clearly when it cannot be asked, and remembers a clean answer for a day, so that `make check` stays quick and works
without a network. Images hold the lock's packages on top of Debian's: those are the image scanner's of whoever
builds them.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".headrace" / "audit"
PROBE = "https://pypi.org/pypi/pip/25.0/json"  # the same database, one small question
PROBE_S, AUDIT_S, FRESH_S = 5.0, 240.0, 86_400.0
IGNORED: Mapping[str, str] = {}
"""Advisories that do not concern us: id -> why."""


def main() -> int:
    """Audit, or say why not; fails where a hole is known."""
    lock = hashlib.sha256((ROOT / "uv.lock").read_bytes()).hexdigest()
    if _is_fresh(lock):
        print("audit: no known holes (asked within the last day)")
        return 0
    if why := unreachable():
        print(f"audit: SKIPPED, the advisory database cannot be asked from here ({why})")
        return 0
    document = _asked()
    if document is None:
        print("audit: SKIPPED, pip-audit got no answer; its own words are above")
        return 0
    return _told(document, lock)


def unreachable(url: str = PROBE) -> str | None:
    """Why the database cannot be asked; None where it can."""
    try:
        with urllib.request.urlopen(url, timeout=PROBE_S) as answer:
            return None if "vulnerabilities" in json.load(answer) else "it answers with something else"
    except (OSError, ValueError) as error:
        return str(error)


def holes(document: Mapping[str, Any], ignored: Iterable[str] = IGNORED) -> list[str]:
    """What pip-audit found, one line each, but for what is ignored by any of its names."""
    known = set(ignored)
    return [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {_mended(hole)}"
        for package in document["dependencies"]
        for hole in package.get("vulns", ())
        if not known & {hole["id"], *hole.get("aliases", ())}
    ]


def _mended(hole: Mapping[str, Any]) -> str:
    return ", ".join(hole["fix_versions"]) or "no version yet"


def unseen(document: Mapping[str, Any]) -> list[str]:
    """Packages that the database does not know."""
    return [package["name"] for package in document["dependencies"] if "skip_reason" in package]


def _told(document: Mapping[str, Any], lock: str) -> int:
    found, missing = holes(document), unseen(document)
    asked = len(document["dependencies"]) - len(missing)
    if not asked:
        print("audit: SKIPPED, the advisory database knows none of our packages from here")
        return 0
    for line in found:
        print(f"audit: {line}")
    print(f"audit: {asked} packages, {len(found)} known holes; not known there: {', '.join(missing) or 'none'}")
    if not found:
        (FOLDER / "clean.json").write_text(json.dumps({"lock": lock, "at": time.time()}))
    return 1 if found else 0


def _asked() -> dict[str, Any] | None:
    """pip-audit's answer about everything in the lock but ourselves."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    listed = FOLDER / "requirements.txt"
    export = [os.environ.get("UV", "uv"), "export", "--frozen", "--all-packages", "--all-groups", "--no-emit-workspace"]
    subprocess.run([*export, "--no-hashes", "--quiet", "-o", str(listed)], check=True, cwd=ROOT)
    audit = [sys.executable, "-m", "pip_audit", "-r", str(listed), "--no-deps", "--disable-pip"]
    try:
        done = subprocess.run(
            [*audit, "--format", "json", "--progress-spinner", "off"],
            stdout=subprocess.PIPE,
            text=True,
            timeout=AUDIT_S,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return answer


def _is_fresh(lock: str) -> bool:
    try:
        clean = json.loads((FOLDER / "clean.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(clean["lock"] == lock and time.time() - clean["at"] < FRESH_S)


if __name__ == "__main__":
    sys.exit(main())
