"""Free ports and servers that are ready."""

import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def free_ports(many: int) -> list[int]:
    """Ports of the loopback interface that nobody uses just now, all different."""
    sockets = [socket.socket() for _ in range(many)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def listens(port: int) -> bool:
    """Whether something accepts connections there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
        return True
    return False


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, within: float = 30) -> None:
    """Wait for a server; its log is the error where it ends, or is not ready in time."""
    end = time.monotonic() + within
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise RuntimeError(f"{process.args!r} is not ready:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.005)
