"""What the manifests tell a program is what it can be told; secrets come by reference, and are written down."""

import importlib.util
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from .conftest import OVERLAYS, SERVICES, Object, Pod, Rendering, documented_secrets, rendered, sources

TELLING = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|_KEY$|DATABASE_URL|CREDENTIAL", re.IGNORECASE)
IN_A_URL = re.compile(r"://[^/\s:@$]+:[^/\s@$]+@")
MADE_UP = "for the test"


def module(container: Object) -> str | None:
    """The Python module that a container runs; None where it is a program of others."""
    command = container.get("command", [])
    return str(command[2]) if command[:2] == ["python", "-m"] else None


def settings_of(name: str) -> list[type[BaseSettings]]:
    """The settings classes of a module: its own, and that of the object store."""
    place = import_module(f"{name}.settings")
    own = [it for it in vars(place).values() if isinstance(it, type) and issubclass(it, BaseSettings)]
    return [it for it in own if it is not BaseSettings]


def names(kind: type[BaseSettings]) -> set[str]:
    """The variables that a settings class reads."""
    return {f"{kind.model_config['env_prefix']}{field}".upper() for field in kind.model_fields}


def variables(rendering: Rendering, container: Object) -> dict[str, Any]:
    """What a container is told, by name; None stands for a secret."""
    found: dict[str, Any] = {}
    for source in container.get("envFrom", []):
        found |= rendering.named("ConfigMap", source["configMapRef"]["name"])["data"]
    return found | {it["name"]: it.get("value") for it in container.get("env", [])}


def programs(rendering: Rendering) -> Iterator[tuple[Pod, Object, str]]:
    """Every container that runs a program of ours."""
    for pod in rendering.pods:
        for container in pod.containers:
            if name := module(container):
                yield pod, container, name


def references(pod: Pod) -> Iterator[tuple[str, str]]:
    """Name and key of every secret that a pod refers to."""
    for container in pod.containers:
        assert not [it for it in container.get("envFrom", []) if "secretRef" in it], f"{pod}: name each key"
        for variable in container.get("env", []):
            if ref := variable.get("valueFrom", {}).get("secretKeyRef"):
                yield ref["name"], ref["key"]
    for volume in pod.spec.get("volumes", []):
        if secret := volume.get("secret"):
            yield from ((secret["secretName"], item["key"]) for item in secret["items"])


def test_every_program_exists(rendering: Rendering) -> None:
    """A module that was renamed would only be missed in the cluster."""
    for pod, _, name in programs(rendering):
        assert importlib.util.find_spec(f"{name}.__main__"), f"{pod} runs {name}, which is no program"


def test_every_service_is_there_with_its_migrations(rendering: Rendering) -> None:
    """A new service needs its line in base/kustomization.yaml."""
    running = {name for pod, _, name in programs(rendering) if pod.owner.startswith("Deployment/")}
    migrated = {container["command"][4] for pod, container, _ in programs(rendering) if "headrace-migrate" in pod.owner}

    assert running - {"headrace.chassis"} == {f"headrace.{service}" for service in SERVICES}
    assert migrated == {f"headrace.{service}" for service in SERVICES}


def test_every_copy_waits_for_its_own_migrations(rendering: Rendering) -> None:
    """Of the database that it uses itself."""
    for service in SERVICES:
        pod = rendering.pod(f"Deployment/headrace-{service}")
        [waiting] = [it for it in pod.containers if it["name"] == "await-migration"]
        assert waiting["command"][-1] == f"headrace.{service}"
        [own] = [it for it in pod.containers if it["name"] == "service"]
        url = [it for it in own["env"] if it["name"] == "HEADRACE_DATABASE_URL"]
        assert url == waiting["env"]


def test_every_variable_is_a_setting(rendering: Rendering) -> None:
    """A misspelt one would be ignored, and its default taken."""
    for pod, container, name in programs(rendering):
        known = {it for kind in settings_of(name) for it in names(kind)} | names(_objects())
        told = {it["name"] for it in container.get("env", []) if it["name"].startswith("HEADRACE_")}
        assert told <= known, f"{pod}: {name} knows no {sorted(told - known)}"


def test_what_all_are_told_all_services_know(rendering: Rendering) -> None:
    """The shared settings are of the chassis or of the object store."""
    for config in rendering.kind("ConfigMap"):
        told = {it for it in config["data"] if it.startswith("HEADRACE_")}
        known = names(_objects()) | {it for kind in settings_of("headrace.chassis") for it in names(kind)}
        assert told <= known, f"no service knows {sorted(told - known)}"


def _objects() -> type[BaseSettings]:
    return import_module("headrace.objects.settings").ObjectSettings  # type: ignore[no-any-return]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_service_can_read_what_it_is_told(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Types and ranges; the port is the one that is probed, on every interface, and the bus has three addresses."""
    rendering = rendered(overlay)
    for pod, container, name in programs(rendering):
        told = variables(rendering, container)
        with monkeypatch.context() as environment:
            for key, value in told.items():
                environment.setenv(key, MADE_UP if value is None else value)
            made = [kind() for kind in settings_of(name)]

        [port] = [it["containerPort"] for it in container.get("ports", [])] or [None]
        for settings in (it for it in made if port and hasattr(it, "http_port")):
            assert (settings.http_host, settings.http_port) == ("0.0.0.0", port), str(pod)
            assert len(settings.nats_url.split(",")) == 3, str(pod)


def test_every_program_has_a_broker_identity_of_its_own(rendering: Rendering) -> None:
    """A key that two share tells nobody who spoke."""
    seeds = [
        ref
        for pod in rendering.pods
        for ref in references(pod)
        if pod.labels.get("headrace.io/bus") and "nats" in ref[1]
    ]

    assert len(seeds) == len(set(seeds)) == len(SERVICES) + 2  # the inference server, and whoever makes the streams


def test_a_database_url_is_known_to_one_service_alone(rendering: Rendering) -> None:
    """So that nobody reads another's tables."""
    users: dict[str, set[str]] = {}
    for pod in rendering.pods:
        for name, key in references(pod):
            if key == "database-url":
                users.setdefault(name, set()).add(pod.labels["app.kubernetes.io/name"])

    assert {name: sorted(who) for name, who in users.items()} == {f"headrace-{it}": [it] for it in SERVICES}


def test_no_secret_lies_in_the_manifests(rendering: Rendering) -> None:
    """They are made beside them: what is in git is known to everybody."""
    assert not rendering.kind("Secret"), "Secrets are made by their owner, not applied from here"


def test_no_variable_holds_a_secret(rendering: Rendering) -> None:
    """Nor a default password: what tells something comes by reference, or is a file's name."""
    for pod in rendering.pods:
        for container in pod.containers:
            for variable in container.get("env", []):
                if TELLING.search(variable["name"]) and "value" in variable:
                    assert variable["value"].startswith("/"), f"{pod}: {variable['name']} is written out"


def test_no_settings_hold_a_secret(rendering: Rendering) -> None:
    """ConfigMaps are for everybody to read."""
    for config in rendering.kind("ConfigMap"):
        for key, value in config["data"].items():
            assert not TELLING.search(key), f"{config['metadata']['name']} holds {key}"
            assert not IN_A_URL.search(value), f"{config['metadata']['name']}: {key} holds credentials"


def test_no_file_holds_credentials_in_a_url() -> None:
    """Not even an example: it would be copied."""
    for path, text in sources():
        assert not IN_A_URL.search(text), f"{path} holds a URL with a password"


def test_every_secret_is_written_down(rendering: Rendering) -> None:
    """Name and key, in infra/k8s/README.md: whoever installs must make it."""
    known = documented_secrets()
    for pod in rendering.pods:
        for name, key in references(pod):
            assert key in known.get(name, ()), f"{pod} needs {key!r} of Secret {name!r}, which README.md does not list"


def test_what_is_written_down_is_used() -> None:
    """Nobody is asked to make what nobody reads."""
    used = {ref for overlay in OVERLAYS for pod in rendered(overlay).pods for ref in references(pod)}
    listed = {(name, key) for name, keys in documented_secrets().items() for key in keys}

    assert listed - used == set()


def test_secrets_are_read_by_their_pod_alone(rendering: Rendering) -> None:
    """Files of secrets are for the pod's group; what everybody may know (a CA) for everybody."""
    for pod in rendering.pods:
        for volume in pod.spec.get("volumes", []):
            if secret := volume.get("secret"):
                public = {item["key"] for item in secret["items"]} == {"ca.crt"}
                assert secret.get("defaultMode") in ((0o444,) if public else (0o400, 0o440)), f"{pod}: {volume['name']}"
                assert public or pod.spec["securityContext"].get("fsGroup"), f"{pod} could not read {volume['name']}"


def test_every_config_map_is_there(rendering: Rendering) -> None:
    """Under the name that kustomize gave it: a change of settings restarts who reads them."""
    there = {it["metadata"]["name"] for it in rendering.kind("ConfigMap")}
    for pod in rendering.pods:
        asked = {it["configMapRef"]["name"] for c in pod.containers for it in c.get("envFrom", [])}
        asked |= {it["configMap"]["name"] for it in pod.spec.get("volumes", []) if "configMap" in it}
        assert asked <= there, f"{pod} wants {asked - there}"
