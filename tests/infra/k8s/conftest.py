"""The manifests as `kubectl apply -k` would send them: every overlay rendered once, and read as objects and pods."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from headrace.contracts import services

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "infra/k8s"
OVERLAYS = sorted(path.name for path in (FOLDER / "overlays").iterdir())
SERVICES = sorted(services.SERVICES)
PATHS = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
KUBECTL = shutil.which("kubectl", path=PATHS)
Object = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """What a workload makes pods of."""

    owner: str
    """Kind and name of the workload, and the Ray group's name."""
    labels: Mapping[str, str]
    spec: Object
    claims: tuple[str, ...] = ()

    @property
    def containers(self) -> list[Object]:
        """All containers, those that run before the others among them."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def serves(self) -> bool:
        """Whether it is there to stay, rather than to end."""
        return not self.owner.startswith("Job/")

    def __str__(self) -> str:
        return self.owner


@dataclass(frozen=True)
class Rendering:
    """One overlay, rendered."""

    overlay: str
    objects: tuple[Object, ...] = field(repr=False)

    def kind(self, *kinds: str) -> list[Object]:
        """The objects of some kinds."""
        return [it for it in self.objects if it["kind"] in kinds]

    def named(self, kind: str, name: str) -> Object:
        """The one object of a kind with a name."""
        [found] = [it for it in self.kind(kind) if it["metadata"]["name"] == name]
        return found

    @property
    def pods(self) -> list[Pod]:
        """Every kind of pod that will run."""
        return [pod for it in self.objects for pod in _pods(it)]

    def pod(self, owner: str) -> Pod:
        """The pods of one workload, as Kind/name."""
        [found] = [pod for pod in self.pods if pod.owner == owner]
        return found

    def __str__(self) -> str:
        return self.overlay


def _pods(it: Object) -> Iterator[Pod]:
    owner = f"{it['kind']}/{it['metadata']['name']}"
    if it["kind"] in ("Deployment", "StatefulSet", "Job"):
        claims = tuple(claim["metadata"]["name"] for claim in it["spec"].get("volumeClaimTemplates", []))
        yield _pod(owner, it["spec"]["template"], claims)
    if it["kind"] == "RayCluster":
        yield _pod(f"{owner}/head", it["spec"]["headGroupSpec"]["template"])
        for group in it["spec"]["workerGroupSpecs"]:
            yield _pod(f"{owner}/{group['groupName']}", group["template"])


def _pod(owner: str, template: Object, claims: tuple[str, ...] = ()) -> Pod:
    return Pod(owner, template["metadata"]["labels"], template["spec"], claims)


@cache
def rendered(overlay: str) -> Rendering:
    """An overlay as objects."""
    if KUBECTL is None:
        pytest.skip("no kubectl: its wheel exists for Linux; elsewhere install kubectl, and these tests run")
    done = subprocess.run(
        [KUBECTL, "kustomize", FOLDER / "overlays" / overlay], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, f"infra/k8s/overlays/{overlay} does not render:\n{done.stderr}"
    loaded = yaml.load_all(done.stdout, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return Rendering(overlay, tuple(it for it in loaded if it))


@pytest.fixture(params=OVERLAYS)
def rendering(request: pytest.FixtureRequest) -> Rendering:
    """Each overlay in turn."""
    return rendered(request.param)


def sources() -> Iterator[tuple[Path, str]]:
    """Every file of infra/k8s but its README, with its text."""
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file() and path.suffix != ".md":
            yield path.relative_to(ROOT), path.read_text()


def documented_secrets() -> dict[str, set[str]]:
    """Names and keys of the Secrets, as the table of infra/k8s/README.md has them."""
    rows = re.findall(r"^\| (`[^|]+) \| (`[^|]+) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    found: dict[str, set[str]] = {}
    for names, keys in rows:
        for name in re.findall(r"`([^`]+)`", names):
            found.setdefault(name, set()).update(re.findall(r"`([^`]+)`", keys))
    return found
