"""Small programs that PyTorch exports for the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import torch
from torch import nn

from prunec.frontends.pytorch.model import PytorchModel, read_model


class Convolutions(nn.Module):
    """Layers that work in place, statistics, and a view whose first size is open."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.second = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.Conv2d(8, 6, 3),
        )
        self.relu, self.drop, self.head = nn.ReLU(inplace=True), nn.Dropout(0.1), nn.Linear(6, 10)
        with torch.no_grad():
            self.norm.running_mean.uniform_(-0.5, 0.5)
            self.norm.running_var.uniform_(0.5, 1.5)

    def forward(self, x: Any) -> Any:
        x = self.second(self.relu(self.norm(self.first(x)))).mean((2, 3))
        return self.head(self.drop(x.view(x.shape[0], 2, 3).flatten(1)))


class Masked(nn.Module):
    """What is written through a view is read under the first name."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 4)

    def forward(self, x: Any) -> Any:
        mask = torch.zeros(6)
        mask[2:5].fill_(1.0)
        return self.head(x * mask)


class Tied(nn.Module):
    """One weight under two names, and products of sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.mixed = nn.Embedding(11, 6), nn.Linear(6, 6)
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.words.weight

    def forward(self, ids: Any) -> Any:
        x = self.words(ids)
        b, s = ids.shape
        x = torch.tanh(self.mixed(x.reshape(b * s, 6)))
        return self.head(x.reshape(b, s, 6))


class Tabled(nn.Module):
    """A table of positions that is computed without gradients: a graph of its own in the file."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 4)
        self.register_buffer("steps", torch.arange(6) / 7, persistent=False)

    def forward(self, x: Any) -> Any:
        with torch.no_grad():
            angles = x[:, :1] * self.steps
            sines, same = angles.sin(), x * 1
        return self.head(x + sines) + same[:, :4]


def exported(
    network: nn.Module, example: Any, path: Path, sizes: Optional[dict[int, str]] = None, train: bool = False
) -> PytorchModel:
    """The model of a network's program, in inference unless ``train``; ``sizes`` are those left open."""
    torch.manual_seed(0)
    dims = None if sizes is None else ({axis: torch.export.Dim(name) for axis, name in sizes.items()},)
    program = torch.export.export(network.train(train), (example,), dynamic_shapes=dims, strict=False)
    torch.export.save(program, path)
    return read_model(path)


def original(path: Path) -> nn.Module:
    """The network of a file as PyTorch loads it."""
    return torch.export.load(path).module()
