"""A small convolutional network and a small vision transformer for images of 8 by 8 pixels."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

CLASSES, SIDE = 10, 8


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of the input's shape."""
        inner = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(inner)) + x)


class Convolutional(nn.Module):
    """Three stages of convolutions, the second and third at half the resolution of the one before."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.near = Block(width)
        self.wider = nn.Sequential(
            nn.Conv2d(width, 2 * width, 3, 2, padding=1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU()
        )
        self.far = Block(2 * width)
        self.drop = nn.Dropout(0.2)
        self.classes = nn.Linear(2 * width, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores of the classes."""
        x = self.far(self.wider(self.near(self.stem(images))))
        return self.classes(self.drop(x.mean((2, 3))))


class Attention(nn.Module):
    """Attention of several heads, of which any number may go: their width is what stays."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.head_width = width // heads
        self.queries, self.keys, self.values = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of the input's shape."""
        parts = (
            layer(x).unflatten(2, (-1, self.head_width)).transpose(1, 2)
            for layer in (self.queries, self.keys, self.values)
        )
        found = functional.scaled_dot_product_attention(*parts)
        return self.out(found.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Attention and a feed-forward network, each behind a normalisation and beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.inner_norm = nn.LayerNorm(width)
        self.inner = nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width))
        self.drop = nn.Dropout(0.1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Of the input's shape."""
        x = x + self.drop(self.attention(self.attention_norm(x)))
        return x + self.drop(self.inner(self.inner_norm(x)))


class Transformer(nn.Module):
    """Patches of two by two pixels, three layers, and the mean of all patches."""

    def __init__(self, width: int = 64, heads: int = 4, patch: int = 2) -> None:
        super().__init__()
        self.patches = nn.Conv2d(1, width, patch, patch)
        self.places = nn.Parameter(torch.randn(1, (SIDE // patch) ** 2, width) * 0.1)
        self.layers = nn.Sequential(*(Layer(width, heads) for _ in range(3)))
        self.norm = nn.LayerNorm(width)
        self.classes = nn.Linear(width, CLASSES)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores of the classes."""
        x = self.patches(images).flatten(2).transpose(1, 2) + self.places
        return self.classes(self.norm(self.layers(x)).mean(1))


NETWORKS = {"convolutional": Convolutional, "transformer": Transformer}
