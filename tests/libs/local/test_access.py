"""Who may touch which bucket, in the words of both servers."""

import json
import re
from pathlib import Path

import pytest

from headrace.local.layout import OFFSETS, PORT_BASE, SPAN, Layout
from headrace.local.programs import ray_head
from headrace.provision.access import ACCESS, BUCKETS, PASSING, actions, policy


@pytest.mark.parametrize("name", ACCESS)
def test_both_servers_grant_the_same(name: str) -> None:
    """An identity writes to the same buckets under SeaweedFS's actions and under the S3 policy."""
    statements = json.loads(policy(ACCESS[name], "p-"))["Statement"]

    by_policy = {s["Resource"][0].split(":::")[1].split("/")[0] for s in statements if "s3:PutObject" in s["Action"]}
    by_actions = {each.split(":")[1] for each in actions(ACCESS[name], "p-") if each.startswith("Write:")}

    assert by_policy == by_actions == {f"p-{bucket}" for bucket, right in ACCESS[name].items() if "w" in right}


def test_nobody_deletes_what_proves_anything() -> None:
    """No policy allows to delete but in the bucket of checkpoints of runs, which are kept for a while: trainer does."""
    statements = {name: json.loads(policy(rights, "p-"))["Statement"] for name, rights in ACCESS.items()}
    deleting = [
        (name, one["Resource"])
        for name, several in statements.items()
        for one in several
        if any("Delete" in action for action in one["Action"])
    ]

    assert PASSING == ("checkpoints",)
    assert deleting == [("trainer", ["arn:aws:s3:::p-checkpoints/*"])]


def test_each_bucket_has_one_service_that_writes() -> None:
    """Uploads have two writers, ingest and a person; every other bucket has one."""
    writers = {
        bucket: {name for name, rights in ACCESS.items() if "w" in rights.get(bucket, "r")} for bucket in BUCKETS
    }

    assert writers.pop("uploads") == {"ingest", "operator"}
    assert all(len(names) == 1 for names in writers.values())


def test_ports_do_not_meet() -> None:
    """Each part has ports of its own, Ray's workers too, and all of them lie within the stack's span."""
    layout = Layout(Path("x"), 9000)
    taken = [layout.port(name) for name in OFFSETS]
    everything = [*taken, *layout.ray_workers]
    assert len(set(everything)) == len(everything)
    assert set(everything) <= set(range(9000, 9000 + SPAN))
    assert PORT_BASE + OFFSETS["inference"] == 8110


def test_ray_sockets_have_a_short_path(tmp_path_factory: pytest.TempPathFactory) -> None:
    """However deep the stack lies, Ray's folder is short: a Unix socket's path takes at most 107 bytes."""
    deep = tmp_path_factory.mktemp("deep") / ("x" * 80) / ("y" * 80)

    assert len(str(Layout(deep).ray_temp)) < 45 or len(str(Layout(deep).ray_temp)) == len(
        str(Layout(deep.parent).ray_temp)
    )


def test_ray_is_given_a_port_for_each_of_its_parts(tmp_path: Path) -> None:
    """A part without one takes Ray's own default, which may lie among the workers' ports: 8265 among those of 8100."""
    layout = Layout(tmp_path)
    given = [part for part in ray_head(layout).command if re.match(r"--[a-z-]*port=", part)]
    ports = {part.partition("=")[0]: int(part.partition("=")[2]) for part in given}

    assert {"--port", "--dashboard-port", "--node-manager-port", "--object-manager-port"} <= ports.keys()
    workers = range(ports.pop("--min-worker-port"), ports.pop("--max-worker-port") + 1)
    assert not [port for port in ports.values() if port in workers]
    assert len(set(ports.values())) == len(ports)
