"""A credential is taken away, or replaced."""

import os
import signal
from pathlib import Path
from typing import Any

import nkeys
import pytest

pytestmark = pytest.mark.faults


def test_revoked_and_given_back(rig: Any, trial: Any, judged: Any) -> None:
    """The service is not ready at once, and works again when it may."""
    config = rig.layout.secret("nats.conf")
    before = config.read_text()
    load = trial().start()
    load.sent(0.2)
    config.write_text("\n".join(line for line in before.splitlines() if _public(rig, "registry") not in line))
    rig.signal("nats", signal.SIGHUP)
    rig.until(lambda: not rig.is_ready("registry"), "registry is not ready", 5)
    load.finish()
    config.write_text(before)
    rig.signal("nats", signal.SIGHUP)
    _alive(rig, "registry")
    judged("credential revoked and given back", load)


def test_rotated(rig: Any, trial: Any, judged: Any) -> None:
    """The new key is in the file: the service finds it when it starts again."""
    config, seed_file = rig.layout.secret("nats.conf"), rig.layout.seed("monitor")
    load = trial().start()
    load.sent(0.2)
    seed = nkeys.encode_seed(os.urandom(32), prefix=nkeys.PREFIX_BYTE_USER)
    old = _public(rig, "monitor")
    seed_file.write_bytes(seed)
    config.write_text(config.read_text().replace(old, _public(rig, "monitor")))
    rig.signal("nats", signal.SIGHUP)
    assert rig.wait_dead("monitor", 60), "it ends, to be started with the key that its file holds by now"
    _alive(rig, "monitor")
    load.finish()
    judged("credential rotated", load)


def _public(rig: Any, identity: str) -> str:
    seed = bytearray(Path(rig.layout.seed(identity)).read_bytes().strip())
    return bytes(nkeys.from_seed(seed).public_key).decode()


def _alive(rig: Any, service: str) -> None:
    """Ready again; started again where it has ended, as whoever watches processes does."""

    def well() -> bool:
        if rig.processes[service].poll() is not None:
            rig.start(service)
        return bool(rig.is_ready(service))

    rig.until(well, f"{service} is ready again")
