"""The Ray driver as a process of its own."""

import socket
import subprocess
import sys
from typing import Any

import pytest

from headrace.testkit.ports import free_ports
from headrace.testkit.s3 import S3
from headrace.trainer.settings import TrainerSettings


def test_a_gateway_that_looks_for_ray_ends_with_its_trainer() -> None:
    """Killed with SIGKILL while Ray is away, a trainer leaves no process behind; Ray alone would look for minutes."""
    away = TrainerSettings(ray_address=f"127.0.0.1:{free_ports(1)[0]}").ray.gateway_config("{}")
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "headrace.trainer.ray_driver", str(theirs.fileno())]
    with theirs:
        gateway = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    try:
        ours.sendall(away.encode() + b"\n")
        ours.close()

        assert gateway.wait(60) == 1
    finally:
        gateway.kill()


SEEN = """
import os, sys
import ray
from headrace.trainer.worker.actor import Actor

class Curious(Actor):
    def seen(self):
        return os.environ.get("CUDA_VISIBLE_DEVICES")

ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
actor = ray.remote(Curious).options(num_cpus=0, num_gpus=float(sys.argv[2])).remote(sys.argv[3], 1 << 30, 1, False)
print(repr(ray.get(actor.seen.remote())))
"""


@pytest.mark.parametrize(("gpus", "seen"), [("0", "''"), ("1", "'0'")])
def test_a_worker_sees_the_gpus_that_it_was_given_and_no_other(
    gpus: str, seen: str, ray_head: Any, buckets: S3
) -> None:
    """Ray by itself hides them only from who was given some."""
    command = [sys.executable, "-c", SEEN, ray_head.address, gpus, buckets.settings.model_dump_json()]
    done = subprocess.run(command, env=ray_head.environment(), capture_output=True, text=True, timeout=120, check=False)

    assert done.stdout.strip() == seen, done.stderr
