"""`python -I -S confine.py SPEC COMMAND...`: read and write below some places alone, then become the command.

SPEC is a JSON object: `reads` and `writes` are lists of paths, `network` says whether TCP is open. It asks the kernel's
Landlock, which binds every user, root too, and everything that the command starts; what is not there is passed over.
Where the kernel has no Landlock the command runs all the same: who asks looks at `landlock()` first.

It imports nothing of ours: it must start in milliseconds, and also where only the standard library is there.
"""

import ctypes
import json
import os
import stat
import struct
import sys

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # system calls, the same on every architecture (landlock(7))
_VERSION_WANTED, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _DEVICES = 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _DEVICES
_RIGHTS = (13, 14, 15, 15, 16, 16)  # rights over files that each version of Landlock knows, from the first on
_NETWORK_SINCE, _SCOPES_SINCE = 4, 6  # versions: TCP; signals and abstract sockets
_ALL_TCP, _ALL_SCOPES = 0b11, 0b11

_libc = ctypes.CDLL(None, use_errno=True)


def landlock() -> int:
    """The version of Landlock that the kernel has; 0 where it has none, or it is switched off."""
    return max(0, int(_libc.syscall(_CREATE, None, 0, _VERSION_WANTED)))


def confine(reads: list[str], writes: list[str], *, network: bool) -> None:
    """Bind this process and all that it starts; raises OSError where the kernel has Landlock and refuses."""
    version = landlock()
    if not version:
        return
    every = (1 << _RIGHTS[min(version, len(_RIGHTS)) - 1]) - 1
    tcp = 0 if network or version < _NETWORK_SINCE else _ALL_TCP
    scopes = _ALL_SCOPES if version >= _SCOPES_SINCE else 0
    told = struct.pack("QQQ", every, tcp, scopes)
    size = 24 if version >= _SCOPES_SINCE else 16 if version >= _NETWORK_SINCE else 8
    rules = _called(_CREATE, told, size, 0)
    for paths, allowed in ((reads, _READ), (writes, every)):
        for path in paths:
            _allow(rules, path, allowed & every)
    _called(_RESTRICT, rules, 0)
    os.close(rules)


def _allow(rules: int, path: str, allowed: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    if not stat.S_ISDIR(os.fstat(place).st_mode):
        allowed &= _OF_FILES
    _called(_ADD, rules, _PATH_BENEATH, struct.pack("=Qi", allowed, place), 0)
    os.close(place)


def _called(number: int, *arguments: object) -> int:
    found = int(_libc.syscall(number, *arguments))
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "landlock")
    return found


def main(spec: str, command: list[str]) -> None:
    """Confine, and become the command; an error is said, and the exit code is 127."""
    told = json.loads(spec)
    _libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS, which Landlock asks for
    confine(told["reads"], told["writes"], network=told["network"])
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
