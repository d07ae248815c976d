"""`python -m headrace.frameworks.generate [--check]`: write the catalogues of estimators and steps, or compare."""

import argparse
import json
import sys
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headrace.contracts.generate.sources import find_sources
from headrace.frameworks.catalog import CATALOG, Entry
from headrace.frameworks.preparation import STEPS

ESTIMATORS = "estimators.json"


def main() -> int:
    """Generate or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="headrace.frameworks.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when anything would change")
    check = parser.parse_args().check
    folder = find_sources().package / "generated"
    recorded = _text(folder / ESTIMATORS)
    known = json.loads(recorded) if recorded else {}
    made = {ESTIMATORS: render(catalogue(known)), "steps.json": json.dumps(steps(), indent=1) + "\n"}
    changed = [name for name, text in made.items() if _text(folder / name) != text]
    if not check:
        for name in changed:
            (folder / name).write_text(made[name])
    elif changed:
        print(f"{', '.join(changed)}: not what the installed libraries make; run `make schemas`", file=sys.stderr)
        return 1
    return 0


def _text(file: Path) -> str | None:
    return file.read_text() if file.is_file() else None


def steps() -> dict[str, Any]:
    """Every step of a preparation, as headrace.contracts.preparation reads it."""
    return {name: asdict(step.info) for name, step in STEPS.items()}


def catalogue(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Every framework with its estimators, as headrace.contracts.estimators reads it.

    What is not installed here stays as it was recorded, which is told.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: _part(name, each, recorded) for name, each in CATALOG.items()}


def _part(name: str, entry: Entry, recorded: Mapping[str, Any]) -> dict[str, Any]:
    if entry.installed is not None:
        return entry.listed()
    if name not in recorded:
        raise SystemExit(f"{entry.package} is not installed here, and nothing is recorded of it; see `make frameworks`")
    print(f"{entry.package} is not installed here; its part of the catalogue is as it was recorded", file=sys.stderr)
    return dict(recorded[name])


def render(found: dict[str, Any]) -> str:
    """One line a parameter, so that a change of a library reads well as a difference."""
    return (
        json.dumps(_lines(found), indent=1).replace('"\\u0001', "").replace('\\u0001"', "").replace('\\"', '"') + "\n"
    )


def _lines(node: Any, depth: int = 0) -> Any:
    """The same with everything below a parameter's name as one marked string."""
    if depth == 5 or not isinstance(node, dict):
        return "\u0001" + json.dumps(node) + "\u0001" if isinstance(node, (dict, list)) else node
    return {name: _lines(value, depth + 1) for name, value in sorted(node.items())}


if __name__ == "__main__":
    sys.exit(main())
