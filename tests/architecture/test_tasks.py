"""What a task is, only the tasks know: nobody else asks for one by its name."""

import ast
from collections.abc import Iterator
from pathlib import Path

from headrace.tasks import TASKS

from .conftest import LIBS, SERVICES, sources

OTHER_WORDS = {
    "libs/frameworks/src/headrace/frameworks/generate/lightgbm.py",  # names of LightGBM's own objectives
    "services/ingest/src/headrace/ingest/profile.py",  # a part of a column's profile
    "libs/pmml/src/headrace/pmml/names.py",  # PMML's own words, and which task each is
    "libs/frameworks/src/headrace/frameworks/preparation/steps/encode.py",  # kinds of targets of a TargetEncoder
}
NAMES = {*TASKS, "classification"}
RESOURCES = {  # `resources.custom`, Ray's word for what a cluster names itself
    "libs/cli/src/headrace/cli/models.py",
    "libs/client/src/headrace/client/sdk.py",
    "libs/contracts/src/headrace/contracts/rules.py",
    "services/trainer/src/headrace/trainer/compute.py",
    "services/trainer/src/headrace/trainer/ray_driver.py",
}


def words(file: Path) -> Iterator[tuple[int, str]]:
    """Every text in a module that is the name of a task, docstrings apart since they are sentences."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in NAMES:
            yield node.lineno, node.value


def test_nobody_but_the_tasks_names_a_task() -> None:
    """A branch on a task outside its own file is a place that the next task would have to find."""
    members = [
        *(("libs", name) for name in LIBS if name not in ("tasks", "testkit")),
        *(("services", name) for name in SERVICES),
    ]
    found = [
        f"{file}:{line} {word!r}"
        for folder, name in members
        for file in sources(folder, name)
        if "generated" not in file.parts and not any(file.as_posix().endswith(each) for each in OTHER_WORDS)
        for line, word in words(file)
        if not (word == "custom" and any(file.as_posix().endswith(each) for each in RESOURCES))
    ]

    assert not found, "ask headrace.tasks instead: " + "; ".join(found)
