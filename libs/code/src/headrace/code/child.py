"""`python -m headrace.code.child MODULE:FUNCTION`: import an entry from the working folder, and call it.

An error ends with the usual trace on standard error, and as one JSON object in the file that is named by
`HEADRACE_ERROR`: what was raised and where, for whoever reads of the run.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from headrace.code import protocol
from headrace.code.context import Context

_REASON = 2_000  # characters


class NoEntry(Exception):
    """The module has no such function."""


def entry_of(name: str) -> Callable[..., Any]:
    """The function that `module:function` names; raises NoEntry, and whatever the module raises."""
    module_name, _, attribute = name.partition(":")
    found = getattr(import_module(module_name), attribute, None)
    if not callable(found):
        raise NoEntry(f"module {module_name!r} has no function {attribute!r}")
    return found  # type: ignore[no-any-return]


def main(name: str) -> int:
    """Call the entry; returns the exit code."""
    sys.path.insert(0, str(Path.cwd()))
    stage = "import"
    try:
        entry = entry_of(name)
        stage = "call"
        entry(Context(os.environ))
    except BaseException as error:  # also SystemExit: code that ends early has made no model
        traceback.print_exc()
        Path(os.environ[protocol.ERROR]).write_text(json.dumps(told(error, stage)))
        return 1
    return 0


def told(error: BaseException, stage: str) -> dict[str, Any]:
    """What was raised and where: the last frame that is the package's own."""
    own = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(str(Path.cwd()))]
    place = f"{Path(own[-1].filename).relative_to(Path.cwd())}:{own[-1].lineno} in {own[-1].name}" if own else None
    words = " ".join(str(error).split())
    reason = f"{type(error).__name__}: {words}" if words else type(error).__name__
    memory = isinstance(error, MemoryError) or "bad_alloc" in words
    return {"reason": reason[:_REASON], "place": place, "stage": stage, "memory": memory}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
