"""Training and measuring on the handwritten digits of the example beside this one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterator

import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "digits"))

from data import digits

BATCH = 64


def images() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Training images, test images, training labels, test labels; always the same."""
    train, test, train_labels, test_labels = (torch.from_numpy(array) for array in digits())
    return train, test, train_labels.long(), test_labels.long()


def train(module: nn.Module, epochs: int, rate: float, seed: int) -> Iterator[int]:
    """Trains with AdamW, the rate falling to zero; gives the epoch after each one."""
    inputs, _, labels, _ = images()
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    optimiser = torch.optim.AdamW(module.parameters(), rate, weight_decay=0.02)
    steps = epochs * -(-len(inputs) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(1, epochs + 1):
        for chosen in torch.randperm(len(inputs), generator=generator).split(BATCH):
            optimiser.zero_grad()
            functional.cross_entropy(module(inputs[chosen]), labels[chosen]).backward()
            optimiser.step()
            schedule.step()
        yield epoch


def accuracy(module: nn.Module) -> float:
    """The share of held-out images that are named correctly, by a module in the mode it is used in."""
    _, inputs, _, labels = images()
    with torch.no_grad():
        return float((module(inputs).argmax(1) == labels).float().mean())
