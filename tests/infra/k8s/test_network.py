"""Who can reach whom, computed from the rendered policies as Kubernetes would: only through events is a fact.

The rule of the architecture: a service reaches the bus, its database, the object store and DNS; the trainer reaches Ray
beside; no service reaches another. Each pair of pods is judged, and each way out of the cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

import pytest

from headrace.contracts.services import ACCESS, EVERY, SERVICES

from .conftest import OVERLAYS, Object, Pod, Rendering, rendered

OURS = {"kubernetes.io/metadata.name": "headrace"}
DATABASE_PORT, BUS_PORT, HTTP_PORT = 5432, 4222, 8080
PROBED = (53, 80, 443, 1024, 3000, 4222, 5432, 6222, 6379, 6380, 8080, 8222, 8265, 9000, 10001, 40000)


@dataclass(frozen=True)
class Peer:
    """Somebody on the network: a pod with its labels, or an address outside."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: Mapping[str, str] = field(default_factory=lambda: OURS)
    address: str | None = None


DNS = Peer("dns", {"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"})
INGRESS = Peer("ingress", {"app": "ingress"}, {"kubernetes.io/metadata.name": "ingress", "headrace.io/clients": "true"})
STRANGER = Peer("stranger", {"app": "shell"}, {"kubernetes.io/metadata.name": "default"})
LIAR = Peer("liar", {"headrace.io/bus": "true", "headrace.io/http": "true", "app.kubernetes.io/name": "nats"},
            {"kubernetes.io/metadata.name": "default"})  # fmt: skip
INTERNET = Peer("internet", address="8.8.8.8")
METADATA = Peer("the cloud's metadata", address="169.254.169.254")
DATABASES, OBJECTS = Peer("databases", address="192.0.2.1"), Peer("objects", address="198.51.100.1")


def selects(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """A label selector, as Kubernetes reads it; an empty one means all."""
    selector = selector or {}
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(_expression(it, labels) for it in selector.get("matchExpressions", []))


def _expression(it: Object, labels: Mapping[str, str]) -> bool:
    match it["operator"]:
        case "In":
            return labels.get(it["key"]) in it["values"]
        case "NotIn":
            return labels.get(it["key"]) not in it["values"]
        case "Exists":
            return it["key"] in labels
        case _:
            return it["key"] not in labels


def _is(rule: Object, peer: Peer) -> bool:
    """Whether one `from` or `to` means this peer."""
    if "ipBlock" in rule:
        block = rule["ipBlock"]
        if peer.address is None:
            return False
        address = ip_address(peer.address)
        return address in ip_network(block["cidr"]) and not any(
            address in ip_network(hole) for hole in block.get("except", [])
        )
    if peer.address is not None:
        return False
    here = selects(rule["namespaceSelector"], peer.namespace) if "namespaceSelector" in rule else peer.namespace == OURS
    return here and selects(rule.get("podSelector"), peer.labels)


def _port(rule: Object, port: int, protocol: str) -> bool:
    if "ports" not in rule:
        return True
    return any(
        it.get("protocol", "TCP") == protocol
        and ("port" not in it or it["port"] <= port <= it.get("endPort", it["port"]))
        for it in rule["ports"]
    )


def _rules(rendering: Rendering, kind: str, me: Peer) -> list[Object] | None:
    """What one side may do: whoever no policy selects is free (None), else any rule of those that do will serve."""
    if me.namespace != OURS or me.address is not None:
        return None
    specs = [it["spec"] for it in rendering.kind("NetworkPolicy") if kind in it["spec"]["policyTypes"]]
    mine = [spec for spec in specs if selects(spec["podSelector"], me.labels)]
    return [rule for spec in mine for rule in spec.get(kind.lower(), [])] if mine else None


def _passes(rules: list[Object] | None, whom: str, other: Peer, port: int, protocol: str) -> bool:
    return rules is None or any(
        _port(rule, port, protocol) and (whom not in rule or any(_is(it, other) for it in rule[whom])) for rule in rules
    )


def open_ports(
    rendering: Rendering, source: Peer, target: Peer, ports: tuple[int, ...] = PROBED, protocol: str = "TCP"
) -> set[int]:
    """On which ports a connection is let out by one side, and in by the other."""
    out, in_ = _rules(rendering, "Egress", source), _rules(rendering, "Ingress", target)
    return {
        port
        for port in ports
        if _passes(out, "to", target, port, protocol) and _passes(in_, "from", source, port, protocol)
    }


def reaches(rendering: Rendering, source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection to one port is possible."""
    return bool(open_ports(rendering, source, target, (port,), protocol))


def peer(pod: Pod) -> Peer:
    """A pod as a peer."""
    return Peer(pod.owner, pod.labels)


def role(pod: Pod) -> str:
    """What a pod is to the architecture."""
    return pod.labels["app.kubernetes.io/name"]


USERS_OF_OBJECTS = {*ACCESS.keys() & EVERY, "provision"}


def allowed_by_the_architecture(source: Pod, target: Pod, port: int) -> bool:
    """The rule, written down apart from the policies."""
    kind = source.labels.get("app.kubernetes.io/component", "")
    match role(target), port:
        case "nats", 6222:
            return role(source) == "nats"
        case "nats", 4222:
            return kind in ("service", "provision")
        case "postgres", 5432:
            return kind in ("service", "migration", "provision") and role(source) != "inference"
        case "minio", 9000:
            is_worker = (role(source), kind) == ("ray", "worker")
            return is_worker or (kind in ("service", "provision") and role(source) in USERS_OF_OBJECTS)
        case _:
            return on_ray(source) and on_ray(target) and port >= 1024 and port != HTTP_PORT


def on_ray(pod: Pod) -> bool:
    """The head, the workers, and the trainer, which asks them."""
    kind = pod.labels.get("app.kubernetes.io/component")
    return role(pod) == "ray" or (role(pod) == "trainer" and kind == "service")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_pair_of_pods_is_as_the_architecture_says(overlay: str) -> None:
    """On every port that somebody listens to, and some that nobody should."""
    rendering = rendered(overlay)
    wrong = []
    for source in rendering.pods:
        for target in rendering.pods:
            found = open_ports(rendering, peer(source), peer(target))
            should = {port for port in PROBED if allowed_by_the_architecture(source, target, port)}
            wrong += [f"{source} reaches {target} on port {port}" for port in sorted(found - should)]
            wrong += [f"{source} does not reach {target} on port {port}" for port in sorted(should - found)]

    assert not wrong, f"overlay {overlay}:\n" + "\n".join(wrong)


def test_no_service_reaches_another(rendering: Rendering) -> None:
    """Whatever else is allowed: they talk through events."""
    services = [pod for pod in rendering.pods if pod.labels.get("app.kubernetes.io/component") == "service"]
    met = [
        f"{source} reaches {target}"
        for source in services
        for target in services
        if role(source) != role(target) and reaches(rendering, peer(source), peer(target), HTTP_PORT)
    ]

    assert {role(pod) for pod in services} == {*EVERY}
    assert not met


def test_everybody_finds_names(rendering: Rendering) -> None:
    """Without DNS nothing is found at all; and from the name server only names."""
    for pod in rendering.pods:
        assert reaches(rendering, peer(pod), DNS, 53, "UDP"), f"{pod} resolves no names"
        assert reaches(rendering, peer(pod), DNS, 53, "TCP")
        assert not reaches(rendering, peer(pod), DNS, 443)


@pytest.mark.parametrize("outside", [INTERNET, METADATA], ids=lambda it: it.name)
def test_nobody_reaches_the_world(rendering: Rendering, outside: Peer) -> None:
    """Neither to carry data away, nor to ask the cloud for the node's credentials."""
    met = [str(pod) for pod in rendering.pods if open_ports(rendering, peer(pod), outside)]

    assert not met


@pytest.mark.parametrize("overlay", ["prod", "gpu"])
def test_databases_and_objects_outside_are_reached_by_those_who_need_them(overlay: str) -> None:
    """By address and port, and nobody else."""
    rendering = rendered(overlay)
    to_databases = {str(pod) for pod in rendering.pods if reaches(rendering, peer(pod), DATABASES, DATABASE_PORT)}
    to_objects = {role(pod) for pod in rendering.pods if reaches(rendering, peer(pod), OBJECTS, 443)}

    assert to_databases == {
        f"{kind}-{it}" for it in SERVICES for kind in ("Deployment/headrace", "Job/headrace-migrate")
    }
    assert to_objects == {*ACCESS.keys() & EVERY, "ray"}


def test_people_reach_services_and_the_bus_and_nothing_behind_them(rendering: Rendering) -> None:
    """From namespaces that bear the label."""
    for pod in rendering.pods:
        is_service = pod.labels.get("app.kubernetes.io/component") == "service"
        should = {HTTP_PORT} if is_service else {BUS_PORT} if role(pod) == "nats" else set()
        assert open_ports(rendering, INGRESS, peer(pod)) == should, str(pod)


@pytest.mark.parametrize("somebody", [STRANGER, LIAR], ids=lambda it: it.name)
def test_strangers_reach_nothing(rendering: Rendering, somebody: Peer) -> None:
    """Labels count within our namespace only."""
    met = [str(pod) for pod in rendering.pods if open_ports(rendering, somebody, peer(pod))]

    assert not met


def test_without_policies_everybody_reaches_everybody() -> None:
    """Else these tests could not fail."""
    bare = Rendering("bare", ())

    assert reaches(bare, STRANGER, Peer("somebody"), 1)
    assert reaches(bare, Peer("somebody"), INTERNET, 443)
