"""Three brokers and three replicas of every stream: one of them may die, be cut off, or be restarted, at any time."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from cluster import NODES, REPLICAS, ClusterRig
from load import settled

from headrace.bus import drift
from headrace.contracts import load_topology


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterRig]:
    """Services on a cluster; it goes by the name that every fixture of this suite knows."""
    found = ClusterRig(tmp_path_factory.mktemp("cluster"))
    try:
        found.up()
        found.declare_idle()
        yield found
    finally:
        found.down()


@pytest.fixture(scope="module")
def reference(rig: ClusterRig) -> Any:
    """The end of a run without faults, on the cluster."""
    return settled(rig)


@pytest.mark.faults
def test_every_stream_and_durable_has_three_replicas(rig: ClusterRig) -> None:
    """From the one setting, and nothing differs from the topology."""

    async def look(connection: Any) -> tuple[list[str], list[int]]:
        streams = [await connection.request(f"STREAM.INFO.{name}") for name in load_topology().streams]
        peers = [1 + len(each["cluster"]["replicas"]) for each in streams]
        return await drift(connection, load_topology(), replicas=REPLICAS), peers

    differences, peers = rig.admin(look)
    assert differences == []
    assert peers == [REPLICAS] * len(peers)


@pytest.mark.faults
@pytest.mark.parametrize("stream", ["REQUESTS", "EVENTS"])
def test_the_leader_killed(rig: ClusterRig, stream: str, trial: Any, judged: Any) -> None:
    """Under load; another leads, and the dead one catches up when it is back."""
    load = trial().start()
    load.sent(0.3)
    leader = rig.leader(stream)
    rig.cluster.kill(leader)
    load.finish()
    rig.until(lambda: rig.leader(stream) not in {"", leader}, "another node leads")
    rig.cluster.start(leader)
    rig.until(rig.cluster.all_healthy, "all nodes are current")
    judged("three brokers: leader killed", load)


@pytest.mark.faults
@pytest.mark.parametrize("who", ["leader", "follower"])
def test_a_minority_cut_off(rig: ClusterRig, who: str, trial: Any, judged: Any) -> None:
    """It acknowledges nothing that the others do not have, and its clients find another node."""
    leader = rig.leader("REQUESTS")
    alone = leader if who == "leader" else next(name for name in NODES if name != leader)
    load = trial().start()
    load.sent(0.2)
    rig.cluster.cut(alone)
    try:
        load.finish(90)
        rig.until(load.is_handled, "every request is handled by the majority")
    finally:
        rig.cluster.join()
    rig.until(rig.cluster.all_healthy, "all nodes are current")
    judged("three brokers: minority cut off", load)


@pytest.mark.faults
def test_a_rolling_restart(rig: ClusterRig, trial: Any, judged: Any) -> None:
    """Each node is asked to leave and comes back, the next when all are current: nobody waits for long."""
    load = trial(count=1500, pace_s=0.02).start()
    load.sent(0.05)
    for name in NODES:
        rig.cluster.leave(name)
        rig.cluster.start(name)
        rig.until(rig.cluster.all_healthy, "all nodes are current")
    judged("three brokers: rolling restart", load.finish(180), trials=len(NODES))


@pytest.mark.faults
def test_all_killed_at_once(rig: ClusterRig, trial: Any, judged: Any) -> None:
    """As when the power goes: what was acknowledged is on three disks."""
    load = trial().start()
    load.sent(0.4)
    for name in NODES:
        rig.cluster.kill(name)
    time.sleep(1.0)  # the fault itself lasts this long
    for name in NODES:
        rig.cluster.start(name)
    judged("three brokers: all killed at once", load.finish())
