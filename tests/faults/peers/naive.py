"""`naive.py URL SEED_FILE DATABASE`: nats-py as its own examples have it: fetch, handle, publish, acknowledge.

Run by an interpreter that has nats-py. It does what `ours.py` does: a row for each event, and an event that follows.
"""

import asyncio
import json
import sqlite3
import sys

import nats

URL, SEED, DATABASE = sys.argv[1:4]
TRIED: set[str] = set()


async def main() -> None:
    """Until it is killed."""
    connection = await nats.connect(URL, nkeys_seed=SEED, max_reconnect_attempts=-1)
    stream = connection.jetstream()
    database = sqlite3.connect(DATABASE)
    database.execute("CREATE TABLE IF NOT EXISTS effect (name TEXT)")
    inbox = await stream.pull_subscribe_bind("deployer", "EVENTS")
    while True:
        try:
            messages = await inbox.fetch(10, timeout=5)
        except TimeoutError:
            continue
        for message in messages:
            try:
                name = json.loads(message.data)["data"]["model"]
                database.execute("INSERT INTO effect VALUES (?)", (name,))
                if name.endswith("7") and name not in TRIED:  # what fails once would succeed the next time
                    TRIED.add(name)
                    database.rollback()
                    raise ConnectionError("a neighbour is away for a moment")
                database.commit()
                await stream.publish(f"headrace.rollout.completed.{name}", message.data)
                await message.ack()
            except Exception as error:
                print(error, flush=True)


asyncio.run(main())
