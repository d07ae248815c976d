"""The stack that runs as containers: found, and its keys fetched, through compose itself."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.client.addresses import COMPOSE, FOLDER
from headrace.client.errors import HeadraceError, NoStack
from headrace.contracts.services import PORTS
from headrace.provision import write_private

FILE = "docker-compose.yml"


def attach(project: Path, folder: Path | None = None) -> Path:
    """Fetch addresses and keys of the installation that the compose file of `project` describes.

    They are written, readable by their owner alone, into `folder`, by default `.headrace/compose/` beside the compose
    file, where every command finds them; returns the file with the addresses. Raises NoStack without a compose file,
    or where nothing was started.
    """
    if not (project / FILE).is_file():
        raise NoStack(f"no {FILE} in {project}; run this in the folder of the checkout, or name it with --project")
    told = _ask(project)
    folder = folder or project / FOLDER / COMPOSE
    write_private(folder / "admin.key", told["key"])
    write_private(folder / "audit.pub", told["log_key"])
    for name, seed in told["seeds"].items():
        write_private(folder / f"{name}.nk", seed)
    for name, password in told["passwords"].items():
        write_private(folder / f"{name}.password", password)
    write_private(folder / "stack.json", json.dumps(_document(folder, told["ports"]), indent=2) + "\n")
    return folder / "stack.json"


def compose_command() -> list[str]:
    """`docker compose`, or docker-compose where that is what there is; raises HeadraceError without either."""
    docker, old = shutil.which("docker"), shutil.which("docker-compose")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        return [docker, "compose"]
    if old:
        return [old]
    raise HeadraceError("neither `docker compose` nor docker-compose is installed")


def _ask(project: Path) -> dict[str, Any]:
    """What the installation's vault tells people; it is asked in a container of its own."""
    command = [*compose_command(), "run", "--rm", "--no-deps", "-T", "secrets", "attach"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoStack(f"nothing to attach to: {_reason(done.stderr)}; start it with `docker compose up -d`")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _reason(said: str) -> str:
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "compose said nothing"


def _document(folder: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    """The same document that the embedded stack writes for clients."""
    return {
        "services": {name: f"http://127.0.0.1:{ports[name]}" for name in PORTS},
        "nats": {"url": f"nats://127.0.0.1:{ports['nats']}", "seed_file": str(folder / "operator.nk")},
        "key_file": str(folder / "admin.key"),
        "log_key_file": str(folder / "audit.pub"),
    }
