"""What is rendered is what Kubernetes and KubeRay take."""

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from .conftest import Object, Rendering

NAMESPACED_APART = ("Namespace",)
ANY_OBJECT: dict[str, Any] = {"type": "object"}
STRINGS = {"type": "object", "additionalProperties": {"type": "string"}}
COUNT = {"type": "integer", "minimum": 0}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object with these properties and no others: a misspelt one would be dropped in silence."""
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


# The parts of KubeRay's ray.io/v1 RayCluster that we may use; pod templates are Kubernetes' own.
GROUP = {"rayStartParams": STRINGS, "template": ANY_OBJECT, "labels": STRINGS, "resources": STRINGS}
WORKERS = {"groupName": {"type": "string"}, "replicas": COUNT, "minReplicas": COUNT, "maxReplicas": COUNT}
MORE = {"numOfHosts": COUNT, "idleTimeoutSeconds": COUNT, "suspend": {"type": "boolean"}}
RAY_CLUSTER = closed(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayCluster"},
    metadata=ANY_OBJECT,
    spec=closed(
        ["headGroupSpec"],
        rayVersion={"type": "string"},
        enableInTreeAutoscaling={"type": "boolean"},
        suspend={"type": "boolean"},
        headGroupSpec=closed(["template"], **GROUP, serviceType={"type": "string"}, enableIngress={"type": "boolean"}),
        workerGroupSpecs={
            "type": "array",
            "items": closed(["groupName", "minReplicas", "maxReplicas", "template"], **GROUP, **WORKERS, **MORE),
        },
    ),
)


@cache
def schemas() -> Path:
    """The strict schemas of the newest Kubernetes that kubernetes-validate knows."""
    place = importlib.util.find_spec("kubernetes_validate")
    if place is None or place.origin is None:
        pytest.skip("kubernetes-validate is not installed; `make setup` does it")
    folders = (Path(place.origin).parent / "kubernetes-json-schema").glob("*-local-strict")
    return max(folders, key=lambda it: [int(part) for part in it.name.split("-")[0].lstrip("v").split(".")])


@cache
def registry() -> "Registry[Any]":
    """The definitions that all of them share, read once."""
    definitions = Resource.from_contents(json.loads((schemas() / "_definitions.json").read_text()))
    return Registry().with_resource("/api/_definitions.json", definitions).crawl()  # else each look-up would crawl it


@cache
def validator(api_version: str, kind: str) -> Draft202012Validator:
    """What judges objects of a kind."""
    if (api_version, kind) == ("ray.io/v1", "RayCluster"):
        return Draft202012Validator(RAY_CLUSTER)
    group, _, version = api_version.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.split(".")[0], version) if part)
    return Draft202012Validator(json.loads((schemas() / f"{name}.json").read_text()), registry=registry())


def template_validator() -> Draft202012Validator:
    """What judges a pod template."""
    return Draft202012Validator(
        {"$ref": "/api/_definitions.json#/$defs/io.k8s.api.core.v1.PodTemplateSpec"}, registry=registry()
    )


def faults(judge: Draft202012Validator, it: Object, name: str) -> list[str]:
    """What is wrong, with the place."""
    return [f"{name}: {error.json_path}: {error.message[:200]}" for error in judge.iter_errors(it)]


def title(it: Object) -> str:
    """An object as people name it."""
    return f"{it['kind']}/{it['metadata']['name']}"


def test_every_object_is_valid(rendering: Rendering) -> None:
    """Against the strict schemas: a misspelt field is an error, where Kubernetes would drop it in silence."""
    wrong = [
        fault for it in rendering.objects for fault in faults(validator(it["apiVersion"], it["kind"]), it, title(it))
    ]

    assert not wrong, f"overlay {rendering}:\n" + "\n".join(wrong)


def test_rays_pods_are_valid(rendering: Rendering) -> None:
    """KubeRay copies its templates into pods; Kubernetes judges them only then."""
    wrong = []
    for cluster in rendering.kind("RayCluster"):
        spec = cluster["spec"]
        for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
            wrong += faults(template_validator(), group["template"], group.get("groupName", "head"))

    assert not wrong, f"overlay {rendering}:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("kind", "it"),
    [
        ("Service", {"spec": {"selectors": {"a": "b"}}}),
        ("Service", {"spec": {"ports": [{"port": "http"}]}}),
        ("RayCluster", {"spec": {"headGroupSpec": {"template": {}}, "workerGroupSpec": []}}),
    ],
)
def test_the_judge_sees_misspelt_and_mistyped_fields(kind: str, it: dict[str, Any]) -> None:
    """Else the tests above could not fail."""
    api_version = "ray.io/v1" if kind == "RayCluster" else "v1"
    whole = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **it}

    assert faults(validator(api_version, kind), whole, kind)


def test_no_two_objects_have_one_name(rendering: Rendering) -> None:
    """The second would overwrite the first."""
    names = [title(it) for it in rendering.objects]

    assert sorted(set(names)) == sorted(names)


def test_everything_lies_in_one_namespace(rendering: Rendering) -> None:
    """Policies, secrets and names hold within a namespace only."""
    rest = [it for it in rendering.objects if it["kind"] not in NAMESPACED_APART]

    assert {it["metadata"].get("namespace") for it in rest} == {"headrace"}
