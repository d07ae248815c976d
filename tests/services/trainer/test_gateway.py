"""The gateway as a process of its own."""

import socket
import subprocess
import sys

from headrace.testkit.ports import free_ports
from headrace.trainer.settings import TrainerSettings


def test_a_gateway_that_looks_for_ray_ends_with_its_trainer() -> None:
    """Killed with SIGKILL while Ray is away, a trainer leaves no process behind; Ray alone would look for minutes."""
    away = TrainerSettings(ray_address=f"127.0.0.1:{free_ports(1)[0]}").ray.gateway_config("{}")
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "headrace.trainer.gateway", str(theirs.fileno())]
    with theirs:
        gateway = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    try:
        ours.sendall(away.encode() + b"\n")
        ours.close()

        assert gateway.wait(60) == 1
    finally:
        gateway.kill()
