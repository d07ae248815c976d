"""How a network learns: batches in an order drawn by the seed, AdamW, the best epoch kept where rows are watched."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from headrace.frameworks.errors import BadEstimator
from headrace.frameworks.torch.network import Network, Taken, at

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""The loss of each row, of the network's outputs and the truth."""


@dataclass(frozen=True)
class Known:
    """Rows with what is true of them, on the device that learns."""

    taken: Taken
    truth: torch.Tensor
    """Codes of labels, or numbers in deviations from their mean."""
    weights: torch.Tensor | None
    """1 in the mean; None where all rows count the same."""


@dataclass(frozen=True)
class Way:
    """How to learn."""

    loss: Loss
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    seed: int
    rounds: int = 0
    """How many epochs without a gain on the watched rows are waited for."""


def cross_entropy(outputs: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The surprise at the true class, of logits."""
    return functional.cross_entropy(outputs, truth, reduction="none")


def pinball(outputs: torch.Tensor, truth: torch.Tensor, level: float) -> torch.Tensor:
    """What a quantile minimises (Koenker and Bassett 1978)."""
    above = truth - outputs[:, 0]
    return torch.maximum(level * above, (level - 1) * above)


def squared(outputs: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The squared difference, which the mean minimises."""
    return (outputs[:, 0] - truth).square()


def absolute(outputs: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """The absolute difference, which the median minimises."""
    return (outputs[:, 0] - truth).abs()


def huber(outputs: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Squared within one deviation of the target, absolute beyond it (Huber 1964)."""
    return functional.huber_loss(outputs[:, 0], truth, reduction="none")


OF_NUMBERS: Mapping[str, Loss] = {"absolute_error": absolute, "huber": huber, "squared_error": squared}


def learn(network: Network, rows: Known, watched: Known | None, way: Way, told: Callable[[int], None]) -> None:
    """Fit in place; raises BadEstimator where the loss becomes infinite."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=way.learning_rate, weight_decay=way.weight_decay)
    drawn = torch.Generator().manual_seed(way.seed)
    best = _Best(network, way.rounds)
    for epoch in range(way.epochs):
        _epoch(network, rows, way, optimizer, drawn)
        told(epoch + 1)
        if watched is not None and best.enough(_judged(network, watched, way.loss)):
            break
    if watched is not None:
        best.restore()


def _epoch(network: Network, rows: Known, way: Way, optimizer: Any, drawn: torch.Generator) -> None:
    """Every row once, in batches of almost equal size: a last one of a single row has no spread to be normalised by."""
    network.train()
    count = len(rows.truth)
    order = torch.randperm(count, generator=drawn).to(rows.truth.device)
    total = torch.zeros((), device=rows.truth.device)
    for batch in order.tensor_split(math.ceil(count / way.batch_size)):
        optimizer.zero_grad()
        loss = _mean(way.loss(network.inside(at(rows.taken, batch)), rows.truth[batch]), rows.weights, batch)
        loss.backward()
        optimizer.step()
        total += loss.detach()
    if not math.isfinite(float(total)):
        raise BadEstimator("the loss became infinite while the network learned; give a smaller learning_rate")


def _mean(losses: torch.Tensor, weights: torch.Tensor | None, batch: torch.Tensor) -> torch.Tensor:
    return losses.mean() if weights is None else (losses * weights[batch]).mean()


def _judged(network: Network, watched: Known, loss: Loss) -> float:
    network.eval()
    with torch.inference_mode():
        everything = torch.arange(len(watched.truth), device=watched.truth.device)
        return float(_mean(loss(network.inside(watched.taken), watched.truth), watched.weights, everything))


class _Best:
    """The weights of the best epoch so far, and how long ago that was."""

    def __init__(self, network: Network, rounds: int) -> None:
        self._network = network
        self._rounds = rounds
        self._loss, self._since = math.inf, 0
        self._state: dict[str, torch.Tensor] = {}

    def enough(self, loss: float) -> bool:
        """Take the loss of an epoch; whether the last gain is so long ago that fitting ends."""
        if loss < self._loss:
            self._loss, self._since = loss, 0
            self._state = {name: each.clone() for name, each in self._network.state_dict().items()}
            return False
        self._since += 1
        return self._since >= self._rounds

    def restore(self) -> None:
        """Go back to the best epoch."""
        self._network.load_state_dict(self._state)
