"""The ten lines of the README, pasted into a shell, from files of the repository."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

World = Any
ROOT = Path(__file__).parents[2]
STARTED = ("make up", "source .venv/bin/activate")  # what the test has done by other means


def ten_lines() -> list[str]:
    """The block under the README's heading."""
    section = (ROOT / "README.md").read_text().partition("## Ten lines")[2]
    block = re.search(r"```\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return block[1].splitlines()


def test_the_ten_lines_run_as_pasted(world: World) -> None:
    """Each ends well, in the folder of a running stack; the last one finds the log whole."""
    lines = ten_lines()
    assert len(lines) == 10
    script = "\n".join(line for line in lines if not line.startswith(STARTED))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=world.stack.layout.folder.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "late-flights" in done.stdout
