"""Ports for servers of tests that run beside each other."""

import socket
import subprocess
import sys
from pathlib import Path

from headrace.local.layout import SPAN
from headrace.testkit.ports import FIRST, LAST, STRETCH, Stretches, free_ports, free_stretch

ASK = "from headrace.testkit.ports import *; print(*free_ports(5), free_stretch(), flush=True); input()"


def test_two_processes_never_get_the_same_ports() -> None:
    """Though nobody listens there yet: this is what a connection to somebody else's server needs."""
    asked = [
        subprocess.Popen([sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ports = [int(port) for each in asked for port in (each.stdout or sys.stdin).readline().split()]
    for each in asked:
        each.communicate("\n")

    assert len({port // STRETCH for port in ports}) == 4
    assert all(FIRST <= port < LAST for port in ports)


def test_ports_come_again_only_after_all_others_and_where_nobody_listens(tmp_path: Path) -> None:
    """A stretch is gone through before it begins anew."""
    stretches = Stretches(tmp_path)
    with socket.socket() as server:
        (taken,) = stretches.ports(1)
        server.bind(("127.0.0.1", taken))
        others = stretches.ports(STRETCH - 1)

        again = stretches.ports(1)

    assert taken not in {*others, *again}
    assert len({*others, *again}) == STRETCH - 1


def test_more_ports_than_a_stretch_has_are_all_different(tmp_path: Path) -> None:
    """Another stretch is taken."""
    assert len(set(Stretches(tmp_path).ports(2 * STRETCH + 1))) == 2 * STRETCH + 1


def test_a_stretch_holds_a_whole_stack() -> None:
    """And is nobody's else in this process."""
    first = free_stretch()

    assert SPAN <= STRETCH
    assert not {port // STRETCH for port in free_ports(3)} & {first // STRETCH}
