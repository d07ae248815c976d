"""The network between services and broker is slow, breaks, or says nothing."""

import time
from typing import Any

import pytest

pytestmark = pytest.mark.faults


def test_latency(rig: Any, trial: Any, judged: Any) -> None:
    """A tenth of a second each way."""
    rig.broker_proxy.latency = 0.1
    load = trial().run()
    rig.broker_proxy.latency = 0.0
    judged("network latency of 100 ms", load)


def test_connections_are_reset_again_and_again(rig: Any, trial: Any, judged: Any) -> None:
    """In mid-acknowledgement, in mid-anything."""
    load = trial().start()
    for share in range(1, 10):
        load.sent(share / 10)
        rig.broker_proxy.reset()
    judged("network connections reset under load", load.finish(), trials=9)


def test_half_open(rig: Any, trial: Any, judged: Any) -> None:
    """Nothing arrives and nobody is told: pings find it out."""
    load = trial().start()
    load.sent(0.3)
    rig.broker_proxy.silent = True
    rig.until(lambda: "broker" in rig.problems("registry"), "registry notices", 45)
    rig.broker_proxy.heal()
    judged("network half-open", load.finish())


def test_short_silence(rig: Any, trial: Any, judged: Any) -> None:
    """Shorter than the pings notice: what was sent meanwhile is lost on the way, and is asked for again."""
    load = trial().start()
    for share in (0.2, 0.5):
        load.sent(share)
        rig.broker_proxy.silent = True
        time.sleep(1.0)  # the fault itself lasts this long
        rig.broker_proxy.heal()
    judged("network silent for a second", load.finish(), trials=2)
