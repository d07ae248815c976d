"""Says evaluations and trainings of some models, as the release does that it is of; see `headrace.testkit.preloaded`.

It prints that it has started, and, at SIGTERM, the number that comes next. What it has said is stored.
"""

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from headrace.bus import BusSettings, connect
from headrace.bus.publisher import Publisher
from headrace.contracts import EvaluationRequested, Event, TrainingRequested, wrap
from headrace.testkit import a

PAUSE_S = 0.02


def evaluation(model: str, number: int) -> EvaluationRequested:
    """The newest version that this release knows: with the confidence as a share, or in percent."""
    newer = "confidence_percent" in EvaluationRequested.model_fields
    confidence: dict[str, Any] = {"confidence_percent": 95} if newer else {"confidence": 0.95}
    return a(EvaluationRequested, evaluation=f"{model}-{number}", model=model, seed=number, **confidence)


async def main(url: str, keys: str, models: str, first: str) -> None:
    """Say one after the other."""
    said: list[Publisher] = []
    for identity in ("registry", "monitor"):
        settings = BusSettings(url, identity, Path(keys) / f"{identity}.nk")
        said.append(Publisher(await connect(settings, name=f"writer-{identity}")))
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print("started", flush=True)  # from here on SIGTERM ends it in order
    number = int(first)
    while not stopped.is_set():
        for model in models.split(","):
            events: list[tuple[Publisher, str, Event]] = [
                (said[0], "registry", evaluation(model, number)),
                (said[1], "monitor", TrainingRequested(model=model, seed=number)),
            ]
            for publisher, who, event in events:
                id_ = f"{who}-{model}-{number}"
                await publisher.publish_window([wrap(event, source=f"headrace/{who}", id=id_, time=datetime.now(UTC))])
        number += 1
        await asyncio.sleep(PAUSE_S)
    print(number, flush=True)


def start(*arguments: str) -> None:
    """URL, KEYS, MODELS, FIRST."""
    asyncio.run(main(*arguments))
