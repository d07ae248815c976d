"""Networks with the calls of scikit-learn: they fit prepared rows, and answer probabilities or numbers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads

from headrace.frameworks.errors import BadEstimator
from headrace.frameworks.inner import Rows
from headrace.frameworks.layers import USUAL_LAYERS, Design, Embedded, layers_of, width_of
from headrace.frameworks.torch.learning import OF_NUMBERS, Known, Loss, Way, cross_entropy, learn, pinball
from headrace.frameworks.torch.network import Network, bounds_of, device_here, outputs_of

QUANTILE = "quantile"  # the loss that `quantile` says the level of
_WORTH = 10_000_000  # multiplications of a batch: with fewer, threads wait for each other longer than they work
_ROWS = 65_536  # of one piece that is answered: 16 MB of each layer of 64 units


def _quietly(step: int) -> None:
    """Nobody listens."""


class _Tabular(BaseEstimator):  # type: ignore[misc]
    """A network for the columns of a table: numbers as they come, codes of texts by embeddings."""

    network_: Network

    def __init__(
        self,
        layers: Sequence[Any] = USUAL_LAYERS,
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        embedding: int | None = None,
        learning_rate: float = 0.003,
        weight_decay: float = 0.01,
        batch_size: int = 128,
        epochs: int = 40,
        random_state: int = 0,
    ) -> None:
        self.layers = layers
        self.activation = activation
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.embedding = embedding
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.random_state = random_state

    def check(self) -> None:
        """Raise BadEstimator where the layers, or parameters together, could never be fitted."""
        found = layers_of(self.layers, self.activation, self.dropout, self.batch_norm)
        if self.batch_size < 2 and any(each.batch_norm for each in found):
            raise BadEstimator("batch_norm has nothing to normalise in batches of one row; give a greater batch_size")

    def fit(
        self,
        rows: Rows,
        watched: Rows | None = None,
        rounds: int = 0,
        told: Callable[[int], None] = _quietly,
    ) -> Self:
        """Fit on prepared rows, as many as count; `told` hears the number of each epoch that is done."""
        self.check()
        rows = rows if rows.weights is None else rows.at(rows.weights > 0)
        design = self._design(rows)
        with _threads(threads_for(design, self.batch_size)), torch.random.fork_rng():
            torch.manual_seed(self.random_state)
            network = Network(design).to(device_here())
            self._look(network, rows)
            kept = None if watched is None else self._known(network, watched)
            learn(network, self._known(network, rows), kept, self._way(rounds), told)
        self.take(network.cpu())
        return self

    def take(self, network: Network) -> None:
        """Answer by a network that is fitted."""
        self.network_ = network.eval()
        self.n_features_in_ = network.design.inputs

    def _design(self, rows: Rows) -> Design:
        layers = layers_of(self.layers, self.activation, self.dropout, self.batch_norm)
        embedded = tuple(self._embedded(place, rows.seen[:, place]) for place in rows.codes)
        return Design(rows.seen.shape[1], layers, self._classes(rows.truth), embedded)

    def _embedded(self, place: int, codes: np.ndarray) -> Embedded:
        known = int(codes.max()) + 1
        return Embedded(place, known, width_of(known, self.embedding))

    def _look(self, network: Network, rows: Rows) -> None:
        """Learn from the rows what is no weight of a layer."""
        numbers, _ = network.take(_tensor(rows.seen, network))
        network.bound.copy_(bounds_of(numbers))

    def _known(self, network: Network, rows: Rows) -> Known:
        weights = None if rows.weights is None else _tensor(rows.weights / rows.weights.mean(), network)
        return Known(network.take(_tensor(rows.seen, network)), self._truth(network, rows.truth), weights)

    def _way(self, rounds: int) -> Way:
        told = (self.epochs, self.batch_size, self.learning_rate, self.weight_decay, self.random_state)
        return Way(self._loss(), *told, rounds=rounds)

    def _answer(self, matrix: Any) -> torch.Tensor:
        rows = torch.from_numpy(np.ascontiguousarray(matrix, dtype=np.float32))
        return outputs_of(self.network_, rows.split(_ROWS) if len(rows) else [rows])

    def _classes(self, truth: np.ndarray) -> int:
        raise NotImplementedError

    def _truth(self, network: Network, truth: np.ndarray) -> torch.Tensor:
        raise NotImplementedError

    def _loss(self) -> Loss:
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")


class TabularClassifier(ClassifierMixin, _Tabular):  # type: ignore[misc]
    """Gives probabilities; learns by cross entropy."""

    @property
    def classes_(self) -> np.ndarray:
        """The codes, in the order of the probabilities."""
        return np.arange(self.network_.design.classes)

    def predict_proba(self, matrix: Any) -> np.ndarray:
        """[rows, classes]."""
        return np.asarray(torch.softmax(self._answer(matrix), dim=1).numpy())

    def _classes(self, truth: np.ndarray) -> int:
        return int(truth.max()) + 1

    def _truth(self, network: Network, truth: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(truth.astype(np.int64), device=network.bound.device)

    def _loss(self) -> Loss:
        return cross_entropy


class TabularRegressor(RegressorMixin, _Tabular):  # type: ignore[misc]
    """Gives numbers; learns their distance from the mean, in standard deviations."""

    def __init__(
        self,
        layers: Sequence[Any] = USUAL_LAYERS,
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        embedding: int | None = None,
        learning_rate: float = 0.003,
        weight_decay: float = 0.01,
        batch_size: int = 128,
        epochs: int = 40,
        random_state: int = 0,
        loss: str = "squared_error",
        quantile: float = 0.5,
    ) -> None:
        super().__init__(
            layers, activation, dropout, batch_norm, embedding, learning_rate, weight_decay, batch_size, epochs,
            random_state,
        )  # fmt: skip
        self.loss = loss
        self.quantile = quantile

    def predict(self, matrix: Any) -> np.ndarray:
        """[rows]."""
        return np.asarray(self._answer(matrix)[:, 0].numpy())

    def _classes(self, truth: np.ndarray) -> int:
        return 0

    def _look(self, network: Network, rows: Rows) -> None:
        super()._look(network, rows)
        network.shift.fill_(float(rows.truth.mean()))
        network.scale.fill_(float(rows.truth.std()) or 1.0)

    def _truth(self, network: Network, truth: np.ndarray) -> torch.Tensor:
        return (_tensor(truth, network) - network.shift) / network.scale

    def _loss(self) -> Loss:
        return partial(pinball, level=self.quantile) if self.loss == QUANTILE else OF_NUMBERS[self.loss]


def threads_for(design: Design, batch_size: int) -> int:
    """How many threads a batch is worth: those that the run was given, as OpenMP is told; one where it is small."""
    return _openmp_effective_n_threads() if design.weights * batch_size >= _WORTH else 1


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """So many threads of torch, which has one number of them for all."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _tensor(values: np.ndarray, network: Network) -> torch.Tensor:
    """Numbers as float32, where the network is."""
    return torch.as_tensor(values, dtype=torch.float32, device=network.bound.device)
