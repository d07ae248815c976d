"""A connection comes back by itself, also where the client underneath has given up without a word."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.aio.msg import Msg

from headrace.bus import BrokerAway, Connection, PublishRefused, connect
from headrace.testkit.broker import Broker


@pytest.fixture
async def admin(nats_server: Broker) -> AsyncIterator[Connection]:
    """Somebody who may do everything."""
    connection = await connect(nats_server.settings("provisioner"), name="admin")
    yield connection
    await connection.close()


async def answers(connection: Connection) -> bool:
    """Whether the broker answers through this connection."""
    try:
        await connection.request("INFO", wait=0.5)
    except BrokerAway:
        return False
    return True


@pytest.mark.parametrize("task", ["_reading_task", "_flusher_task"])
async def test_a_client_that_reads_or_writes_no_more_connects_again(
    admin: Connection, task: str, eventually: Any
) -> None:
    """Its task died of an error that it did not expect; it still says that it is connected."""
    getattr(admin.client, task).cancel()

    await eventually(lambda: answers(admin), 8)


async def test_a_client_that_has_ended_to_reconnect_goes_on(
    admin: Connection, nats_server: Broker, eventually: Any
) -> None:
    """As after a reset in the middle of the handshake: nothing would ever have happened again."""
    nats_server.kill()
    await eventually(lambda: not admin.connected)
    await eventually(lambda: admin.client._reconnection_task is not None)
    reconnecting = admin.client._reconnection_task
    assert reconnecting is not None
    reconnecting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reconnecting

    await asyncio.to_thread(nats_server.start)

    await eventually(lambda: answers(admin), 8)


@pytest.mark.parametrize(("code", "meaning"), [(10008, BrokerAway), (10009, BrokerAway), (10059, PublishRefused)])
async def test_an_answer_without_a_leader_is_none(
    admin: Connection, monkeypatch: pytest.MonkeyPatch, code: int, meaning: type[Exception]
) -> None:
    """A cluster that has not found its leader says so at once; who asked tries again, as with a silent one."""
    said = json.dumps({"error": {"code": 503, "err_code": code, "description": "not now"}}).encode()

    async def request(*_: Any, **__: Any) -> Msg:
        return Msg(admin.client, data=said)

    monkeypatch.setattr(admin.client, "request", request)
    with pytest.raises(meaning, match=f"not now .code {code}"):
        await admin.request("INFO")
