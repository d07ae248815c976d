"""Run as a script in a fresh process: give up what the command must not have, then become the command.

`python -I -S launch.py SPEC`, with a JSON object: `command`, `cwd`, `environment` (of variables), `answers` (the
descriptor that becomes 3), `user` (whom to become; None for the same), `reads` (whether that user may read all that
root may), `limits` (by the names of the module `resource`), `processes`, `network`, `parent`.

It imports nothing of ours: it must start in milliseconds, and also where only the standard library is there.
"""

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

ANSWERS = 3
_MOST_DESCRIPTORS = 4096
_NEW_USER, _NEW_PID, _NEW_NET, _NEW_IPC = 0x10000000, 0x20000000, 0x40000000, 0x08000000  # unshare(2)
_PDEATHSIG, _KEEP_CAPABILITIES, _NO_NEW_PRIVILEGES, _AMBIENT = 1, 8, 38, 47  # prctl(2)
_AMBIENT_RAISE = 2
_READ_SEARCH = 2  # CAP_DAC_READ_SEARCH
_CAPABILITY_VERSION = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def main(spec: dict[str, Any]) -> None:
    """Everything, in the order that each step needs."""
    die_with_parent(spec["parent"])
    alone = apart(network=spec["network"])
    if alone:
        beneath()  # the first process of the namespace, which buries orphans, and ends all the others with itself
        beneath()  # the command: the first would not hear signals that it sends itself
    descriptors(spec["answers"])
    bounded = spec["user"] is not None or alone
    limit({**spec["limits"], **({"NPROC": spec["processes"]} if bounded else {})})
    if spec["user"] is not None:
        become(spec["user"], reads=spec["reads"])
    _libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    die_with_parent(None)  # a change of user takes it back
    os.chdir(spec["cwd"])
    os.umask(0o077)
    start(spec["command"], spec["environment"])


def apart(*, network: bool) -> bool:
    """Processes, and unless allowed the network, of its own; False where the kernel does not let us."""
    wanted = _NEW_PID | _NEW_IPC | (0 if network else _NEW_NET)
    user, group = os.getuid(), os.getgid()
    if os.geteuid() == 0 and unshare(wanted):
        return True
    if not unshare(wanted | _NEW_USER):
        return False
    for file, text in (("uid_map", f"{user} {user} 1"), ("setgroups", "deny"), ("gid_map", f"{group} {group} 1")):
        with contextlib.suppress(OSError):
            Path(f"/proc/self/{file}").write_text(text)
    return True


def unshare(what: int) -> bool:
    """Whether the kernel gave us namespaces of our own."""
    return bool(_libc.unshare(what) == 0)


def beneath() -> None:
    """Go on in a child; the parent waits for it, and ends as it ended."""
    if inner := os.fork():
        os.close(0)  # so that the pipes end with the command, not with us
        os.closerange(ANSWERS, _MOST_DESCRIPTORS)
        mirror(inner)
    die_with_parent(None)


def mirror(inner: int) -> None:
    """Bury whatever ends, until it is the one that counts."""
    pid, status = os.wait()
    while pid != inner:
        pid, status = os.wait()
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def descriptors(answers: int) -> None:
    """Requests on 0, log on 1 and 2, answers on 3, and nothing else."""
    if answers != ANSWERS:
        os.dup2(answers, ANSWERS)
    os.set_inheritable(ANSWERS, True)
    os.closerange(ANSWERS + 1, _MOST_DESCRIPTORS)


def limit(limits: dict[str, int]) -> None:
    """Hard limits; where there is a lower one already, that stays."""
    for name, most in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        _, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def become(user: int, *, reads: bool) -> None:
    """Another user, in no group but its own; `reads` keeps the one capability to read and search."""
    _libc.prctl(_KEEP_CAPABILITIES, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    mask = 1 << _READ_SEARCH if reads else 0
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if _libc.capset(header, sets):
        raise OSError(ctypes.get_errno(), "capabilities cannot be given up")
    if reads:
        _libc.prctl(_AMBIENT, _AMBIENT_RAISE, _READ_SEARCH, 0, 0)


def die_with_parent(parent: int | None) -> None:
    """SIGKILL when whoever started this process ends; at once where that has happened already."""
    _libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def start(command: list[str], environment: dict[str, str]) -> None:
    """Become the command; say it where that cannot be."""
    try:
        os.execvpe(command[0], command, environment)
    except OSError as error:
        why = "there is no such program here" if error.errno == errno.ENOENT else os.strerror(error.errno or 0)
        print(f"{command[0]} cannot be started: {why}", file=sys.stderr, flush=True)
        os._exit(127)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
