"""Exports the small program that the tests of this folder read, with the PyTorch that runs this file:
``python tests/frontends/pytorch/make_fixtures.py``."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

FIXTURES = Path(__file__).parent / "fixtures"


class Small(nn.Module):
    """Convolutions, a view whose first size is computed, two tied layers, a buffer and a shared storage."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(8, 6, 3, padding=1)
        self.mix = nn.Linear(6, 6, bias=False)
        self.again = nn.Linear(6, 6, bias=False)
        self.again.weight = self.mix.weight
        self.drop = nn.Dropout(0.1)
        self.last = nn.Linear(6, 4)
        both = torch.randn(12)
        self.register_buffer("scale", both[:6], persistent=False)
        self.register_buffer("shift", both[6:])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores of the classes."""
        x = self.second(self.relu(self.norm(self.first(images)))).mean((2, 3))
        # Samples and pairs of channels on one axis, and back.
        x = x.view(x.shape[0] * 2, 3).tanh().view(-1, 6)
        x = self.again(self.drop(self.mix(x).relu())) * self.scale + self.shift
        return self.last(x)


def main() -> None:
    """Writes the program, without the places of its source."""
    torch.manual_seed(0)
    batch = torch.export.Dim("batch")
    exported = torch.export.export(
        Small().eval(), (torch.randn(2, 3, 8, 8),), dynamic_shapes=({0: batch},), strict=False
    )
    for node in exported.graph.nodes:
        node.meta.pop("stack_trace", None)
    version = ".".join(torch.__version__.split("+")[0].split(".")[:2])
    torch.export.save(exported, FIXTURES / f"torch-{version}.pt2")


if __name__ == "__main__":
    main()
