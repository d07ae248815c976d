"""A network of a design: embeddings beside numbers, hidden layers, one last layer."""

from collections.abc import Iterator, Sequence

import torch
from torch import nn

from headrace.frameworks.layers import Design, Layer
from headrace.frameworks.torch.activations import OF_NAME

BEYOND = 10.0  # times the greatest magnitude that was learned: numbers are held within it, for nothing is known of it
ABOVE_ALL = 3e38  # a bound before anything is learned: near the largest float32
Taken = tuple[torch.Tensor, torch.Tensor]
"""Rows as the layers take them: numbers within bounds [rows, numbers], and places in embeddings [rows, embedded]."""


class Network(nn.Module):  # type: ignore[misc]
    """Answers logits [rows, classes], or a number [rows, 1] by its mean and deviation in the learned rows."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        # what stands first is for codes that were not learned: a row of zeros, which is never learned
        self.embeddings = nn.ModuleList(
            nn.Embedding(each.codes + 1, each.width, padding_idx=0) for each in design.embedded
        )
        widths = [design.width, *(layer.units for layer in design.layers)]
        pairs = zip(widths, design.layers, strict=False)
        self.hidden = nn.Sequential(*(nn.Sequential(*_modules(width, layer)) for width, layer in pairs))
        self.last = nn.Linear(widths[-1], design.outputs)
        self.register_buffer("bound", torch.full((len(design.numbers),), ABOVE_ALL))
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("shift", torch.zeros(1))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """The answer to prepared rows [rows, inputs], float32."""
        return self.inside(self.take(rows)) * self.scale + self.shift

    def take(self, rows: torch.Tensor) -> Taken:
        """What the layers take of prepared rows: once for all epochs."""
        numbers = torch.clamp(rows[:, self.design.numbers], -self.bound, self.bound)
        codes = rows[:, [each.place for each in self.design.embedded]].long()
        known = torch.tensor([each.codes for each in self.design.embedded], device=rows.device)
        return numbers, torch.where((codes >= 0) & (codes < known), codes + 1, 0)

    def inside(self, taken: Taken) -> torch.Tensor:
        """The last layer's answer, before mean and deviation."""
        numbers, codes = taken
        parts = [numbers, *(table(codes[:, at]) for at, table in enumerate(self.embeddings))]
        found: torch.Tensor = self.last(self.hidden(torch.cat(parts, dim=1)))
        return found


def _modules(width: int, layer: Layer) -> Iterator[nn.Module]:
    yield nn.Linear(width, layer.units)
    if layer.batch_norm:
        yield nn.BatchNorm1d(layer.units)
    yield OF_NAME[layer.activation].module()
    if layer.dropout:
        yield nn.Dropout(layer.dropout)


def device_here() -> torch.device:
    """A GPU where this process was given one (the run asked for it), else the processors."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def at(taken: Taken, rows: torch.Tensor) -> Taken:
    """Some of the rows."""
    return taken[0][rows], taken[1][rows]


def bounds_of(numbers: torch.Tensor) -> torch.Tensor:
    """How far from zero each number may be, by the learned rows."""
    return (numbers.abs().amax(dim=0) * BEYOND).clamp(max=ABOVE_ALL)


def outputs_of(network: Network, pieces: Sequence[torch.Tensor]) -> torch.Tensor:
    """The answers to rows that come in pieces, without learning from them."""
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(piece) for piece in pieces])
