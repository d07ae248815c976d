"""Every pod meets the Pod Security Standard `restricted`, and what we ask beyond it."""

import re
from collections.abc import Iterator

import pytest

from .conftest import Object, Pod, Rendering

# https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "hostUsers")
PINNED = re.compile(r"(:v?\d+\.\d+(\.\d+)?([.-][\w.-]+)?|@sha256:[0-9a-f]{64})$")


def containers(rendering: Rendering) -> Iterator[tuple[str, Object, Pod]]:
    """Every container with its name as people say it."""
    for pod in rendering.pods:
        for container in pod.containers:
            yield f"{pod.owner}/{container['name']}", container, pod


def test_the_namespace_enforces_restricted(rendering: Rendering) -> None:
    """The API server refuses what these tests overlook."""
    [namespace] = rendering.kind("Namespace")
    labels = namespace["metadata"]["labels"]

    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"


def test_no_pod_runs_as_root(rendering: Rendering) -> None:
    """A user of its own, and one that Kubernetes can see is not root."""
    for pod in rendering.pods:
        context = pod.spec["securityContext"]
        assert context.get("runAsNonRoot") is True, f"{pod} may run as root: set runAsNonRoot"
        assert context.get("runAsUser", 0) >= 999, f"{pod}: set runAsUser, else an image decides"


def test_every_pod_has_a_seccomp_profile(rendering: Rendering) -> None:
    """That of the runtime at least."""
    for pod in rendering.pods:
        profile = pod.spec["securityContext"].get("seccompProfile", {}).get("type")
        assert profile in ("RuntimeDefault", "Localhost"), f"{pod} has no seccompProfile"


def test_no_container_can_gain_rights(rendering: Rendering) -> None:
    """No privileges, no escalation, no capability, no other user than the pod's."""
    for name, container, _ in containers(rendering):
        context = container.get("securityContext", {})
        assert context.get("allowPrivilegeEscalation") is False, f"{name}: set allowPrivilegeEscalation: false"
        assert context.get("capabilities") == {"drop": ["ALL"]}, f"{name} keeps capabilities: drop ALL, add none"
        assert not {"privileged", "runAsUser", "runAsNonRoot", "procMount"} & set(context), f"{name} undoes the pod's"


def test_no_container_writes_to_its_image(rendering: Rendering) -> None:
    """What it writes goes to volumes that say how much."""
    for name, container, _ in containers(rendering):
        read_only = container.get("securityContext", {}).get("readOnlyRootFilesystem")
        assert read_only is True, f"{name} can change its own programs: set readOnlyRootFilesystem"


def test_no_pod_shares_its_node(rendering: Rendering) -> None:
    """Neither its network nor its processes, paths or ports."""
    for pod in rendering.pods:
        assert not [field for field in HOST_FIELDS if pod.spec.get(field)], f"{pod} shares its node"
        ports = [port for it in pod.containers for port in it.get("ports", []) if "hostPort" in port]
        assert not ports, f"{pod} takes a port of its node"


def test_volumes_are_of_harmless_kinds(rendering: Rendering) -> None:
    """Nothing of the node's disk."""
    for pod in rendering.pods:
        kinds = {kind for volume in pod.spec.get("volumes", []) for kind in volume if kind != "name"}
        assert kinds <= VOLUMES, f"{pod} has volumes of kind {kinds - VOLUMES}"


def test_every_mount_has_its_volume(rendering: Rendering) -> None:
    """And every volume its mount."""
    for pod in rendering.pods:
        there = {volume["name"] for volume in pod.spec.get("volumes", [])} | set(pod.claims)
        mounted = {mount["name"] for it in pod.containers for mount in it.get("volumeMounts", [])}
        assert mounted == there, f"{pod} mounts {sorted(mounted)} and has {sorted(there)}"


def test_scratch_space_has_a_limit(rendering: Rendering) -> None:
    """Else one pod fills the node's disk, and all its neighbours are evicted."""
    for pod in rendering.pods:
        for volume in pod.spec.get("volumes", []):
            if "emptyDir" in volume:
                assert "sizeLimit" in volume["emptyDir"], f"{pod}: volume {volume['name']} has no sizeLimit"


def test_no_pod_has_a_token_of_kubernetes(rendering: Rendering) -> None:
    """Nothing of ours speaks with the API server."""
    for pod in rendering.pods:
        assert pod.spec.get("automountServiceAccountToken") is False, f"{pod} gets a token it does not need"


def test_kubernetes_adds_no_variables(rendering: Rendering) -> None:
    """A Service headrace-x would become HEADRACE_X_... in every pod: our settings' own names."""
    for pod in rendering.pods:
        assert pod.spec.get("enableServiceLinks") is False, f"{pod}: set enableServiceLinks: false"


def test_images_are_pinned(rendering: Rendering) -> None:
    """By version or digest: what was tested is what runs, also after a restart."""
    for name, container, _ in containers(rendering):
        image = container["image"]
        assert PINNED.search(image), f"{name}: {image} is not pinned to a version"
        assert not re.search(r":(latest|main|stable|edge)\b", image), f"{name}: {image} moves"


@pytest.mark.parametrize("image", ["nats", "nats:latest", "nats:2", "a/b:latest", "host:5000/a", "a:main"])
def test_what_is_not_pinned_is_known(image: str) -> None:
    """Else the test above could not fail."""
    assert not PINNED.search(image)


def test_every_container_says_what_it_needs(rendering: Rendering) -> None:
    """Requests, so that it is placed where there is room; a limit of memory, so that it cannot take its neighbours'."""
    for name, container, _ in containers(rendering):
        resources = container.get("resources", {})
        assert {"cpu", "memory"} <= set(resources.get("requests", {})), f"{name} asks for no cpu or memory"
        assert "memory" in resources.get("limits", {}), f"{name} has no limit of memory"


def test_whatever_stays_is_probed(rendering: Rendering) -> None:
    """Ready before it gets requests, restarted when it hangs."""
    for pod in rendering.pods:
        if pod.serves:
            for container in pod.spec["containers"]:
                missing = {"livenessProbe", "readinessProbe"} - set(container)
                assert not missing, f"{pod}/{container['name']} has no {sorted(missing)}"


def test_probes_speak_what_the_port_speaks(rendering: Rendering) -> None:
    """HTTPS where a certificate is set, HTTP where none is."""
    for name, container, _ in containers(rendering):
        secure = "HEADRACE_HTTP_TLS_CERT" in {variable["name"] for variable in container.get("env", [])}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = container.get(kind, {}).get("httpGet")
            if asked and name.endswith("/service"):
                assert asked.get("scheme", "HTTP") == ("HTTPS" if secure else "HTTP"), f"{name}: {kind}"
                assert asked["path"].startswith("/"), f"{name}: {kind} lost its path"
