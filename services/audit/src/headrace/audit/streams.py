"""What audit asks the broker: where a stream begins now."""

from __future__ import annotations

from headrace.bus import BrokerAway, Connection, PublishRefused


async def first_sequence(connection: Connection, stream: str) -> int | None:
    """The first sequence number that a stream still holds; None where the broker gives no answer now."""
    try:
        info = await connection.request(f"STREAM.INFO.{stream}")
    except (BrokerAway, PublishRefused):
        return None
    state = info["state"]
    return int(state["first_seq"]) if state["messages"] else int(state["last_seq"]) + 1
