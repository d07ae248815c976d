"""`python -m headrace.tasks.generate [--check]`: write the list of the tasks' options again, or compare.

The page about the declaration is made in `headrace.contracts`, which lies below the tasks: it reads this list.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from headrace.contracts import Option
from headrace.contracts.generate.sources import find_sources
from headrace.tasks.base import Task
from headrace.tasks.catalog import TASKS


def main() -> int:
    """Generate or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="headrace.tasks.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when anything would change")
    check = parser.parse_args().check
    file = find_sources().package / "generated" / "task_options.json"
    text = render(TASKS)
    if not check:
        file.write_text(text)
    elif not file.is_file() or file.read_text() != text:
        print(f"{file.name} is not what the tasks say; run `make schemas`", file=sys.stderr)
        return 1
    return 0


def render(tasks: Mapping[str, Task]) -> str:
    """Every option of every task, in their order."""
    return json.dumps([_entry(task, option) for task in tasks.values() for option in task.options], indent=1) + "\n"


def _entry(task: Task, option: Option) -> dict[str, Any]:
    told = {"task": task.name, "option": option.name, "about": option.about, "takes": option.takes}
    return {**told, "required": option.required, "default": option.default, "example": option.example}


if __name__ == "__main__":
    sys.exit(main())
