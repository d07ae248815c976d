"""`python -m headrace.contracts.generate [--check]`: write again all that is made from schemas/, or compare."""

import argparse
import subprocess
import sys
from pathlib import Path

from headrace.contracts.generate.asyncapi import render_asyncapi
from headrace.contracts.generate.lock import check_released, render_lock
from headrace.contracts.generate.models import render_models
from headrace.contracts.generate.reference import render_reference
from headrace.contracts.generate.services import render_services
from headrace.contracts.generate.sources import Sources, find_sources
from headrace.contracts.generate.table import render_readme
from headrace.contracts.generate.versions import upcaster_problems, version_problems

NOTE = '"""Generated from schemas/ by `make schemas`; changes here are lost."""\n'


def main() -> int:
    """Generate or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="headrace.contracts.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when anything would change")
    check = parser.parse_args().check
    sources = find_sources()
    broken = [f"released schema broken: {each}" for each in check_released(sources)] + list(version_problems(sources))
    missing = list(upcaster_problems(sources))  # an upcaster needs the classes that are written here
    for problem in [*broken, *missing]:
        print(problem, file=sys.stderr)
    broken += missing if check else []
    return 1 if broken or (_compare(sources) if check else _write(sources)) else 0


def rendered(sources: Sources) -> dict[Path, str]:
    """Everything that is generated, by the file it goes to."""
    generated = sources.package / "generated"
    return {
        generated / "__init__.py": NOTE,
        generated / "models.py": render_models(sources),
        generated / "services.py": render_services(sources),
        generated / "topology.yaml": (sources.schemas / "topology.yaml").read_text(),
        sources.schemas / "asyncapi.yaml": render_asyncapi(sources),
        sources.schemas / "README.md": render_readme(sources),
        sources.schemas / "model" / "README.md": render_reference(sources),
        sources.schemas / "released.lock": render_lock(sources),
    }


def _write(sources: Sources) -> bool:
    for path, text in rendered(sources).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return False


def _compare(sources: Sources) -> bool:
    stale = [path for path, text in rendered(sources).items() if not path.is_file() or path.read_text() != text]
    for path in stale:
        print(f"{path.relative_to(sources.root)} is not what schemas/ makes; run `make schemas`", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"the model generator failed: {error}")
