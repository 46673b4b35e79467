"""Trains the small networks of ``digits.py`` and exports them to ONNX, with an open batch.

Needs PyTorch, timm and onnxscript.  On one thread; the same file comes out on the same machine.
"""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Callable

# Attention as products and a softmax: one operator that does all of it cannot be traced by every tool.
os.environ.setdefault("TIMM_FUSED_ATTN", "0")

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional

from bench.restoring_tasks.digits import training_set

_BATCH = 100
_GROUPS = 8


class _Block(nn.Module):
    """A residual block whose middle convolution is grouped."""

    def __init__(self, before: int, middle: int, after: int, stride: int) -> None:
        super().__init__()
        self.way = nn.Sequential(
            nn.Conv2d(before, middle, 1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, middle, 3, stride, 1, groups=_GROUPS, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, after, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.short: nn.Module = nn.Identity()
        if before != after or stride != 1:
            self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, value: Any) -> Any:
        return functional.relu(self.way(value) + self.short(value))


def _grouped() -> nn.Module:
    blocks = (_Block(32, 64, 64, 1), _Block(64, 64, 64, 2), _Block(64, 128, 128, 2), _Block(128, 128, 128, 1))
    stem = (nn.Conv2d(1, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


def _transformer() -> nn.Module:
    return VisionTransformer(
        img_size=28,
        patch_size=7,
        in_chans=1,
        num_classes=10,
        embed_dim=64,
        depth=5,
        num_heads=4,
        mlp_ratio=2.0,
    )


#: How each network is built, and for how many epochs it is trained.
_NETWORKS: Mapping[str, tuple[Callable[[], nn.Module], int]] = {
    "grouped": (_grouped, 6),
    "transformer": (_transformer, 50),
}


def train(name: str, path: Path) -> None:
    """Trains a network and writes it to an ONNX file."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    build, epochs = _NETWORKS[name]
    network = build()
    steps = epochs * len(training_set()[0]) // _BATCH
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    network.train()
    for pixels, digits in _batches(epochs):
        loss = functional.cross_entropy(network(pixels), digits)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    _export(network.eval(), path)


def _batches(epochs: int) -> Iterator[tuple[Any, Any]]:
    """Images and digits, each image moved by up to two pixels."""
    pixels, digits = (torch.from_numpy(own) for own in training_set())
    for _ in range(epochs):
        order = torch.randperm(len(pixels))
        for chosen in order.split(_BATCH):
            moves = torch.randint(-2, 3, (2,)).tolist()
            yield torch.roll(pixels[chosen], moves, (2, 3)), digits[chosen]


def _export(network: nn.Module, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    warnings.simplefilter("ignore")
    # Of a batch of one, the exporter takes it that there never is another.
    example = torch.zeros(2, 1, 28, 28)
    with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        torch.onnx.export(
            network,
            (example,),
            str(part),
            input_names=["image"],
            output_names=["scores"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            external_data=False,
        )
    part.replace(path)
