"""The trainer's container as a node of Ray's cluster that offers nothing: Ray's drivers live only on nodes."""

import ctypes
import signal
import socket
import subprocess
import sys
from pathlib import Path

_SET_DEATH_SIGNAL = 1  # prctl(2): PR_SET_PDEATHSIG
_OBJECT_STORE = 80 << 20  # bytes; Ray takes no less, and nothing is kept here


def join(address: str) -> str:
    """Start a node without CPUs that ends with this process; returns its IP address, as the head sees it."""
    ip = own_address(address)
    command = [
        *(str(Path(sys.executable).with_name("ray")), "start", f"--address={address}", f"--node-ip-address={ip}"),
        *("--num-cpus=0", "--num-gpus=0", f"--object-store-memory={_OBJECT_STORE}", "--disable-usage-stats", "--block"),
    ]
    quiet = subprocess.DEVNULL
    subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, preexec_fn=_end_with_parent)
    return ip


def own_address(peer: str) -> str:
    """The address under which this machine reaches `host:port`; of several networks, the one that leads there."""
    host, _, port = peer.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, int(port)))  # sends nothing
        address: str = probe.getsockname()[0]
    return address


def _end_with_parent() -> None:
    """Asked to end, and not killed: the head then knows at once that the node has left."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
