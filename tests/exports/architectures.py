"""Small networks as people write them in PyTorch, each with what stays open when it is exported.

Needs torch: tests call ``pytest.importorskip("torch")`` before they import this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

import torch
from torch import Tensor, nn
from torch.nn import functional

#: The sizes that each network is exported at first, and then run at, by the names of the open ones.
SIZES = ({"batch": 2, "length": 6}, {"batch": 1, "length": 9}, {"batch": 5, "length": 3})
WORDS = 20


@dataclass(frozen=True)
class Case:
    """A network: ``shape`` of its input, open sizes by name; ``below`` for whole numbers; ``most``, the share
    of parameters that may be left when half goes strictly."""

    build: Callable[[], nn.Module]
    shape: tuple[object, ...]
    most: float
    below: Optional[int] = None

    def input(self, sizes: dict[str, int], seed: int = 0) -> Tensor:
        """A random input."""
        shape = [sizes[size] if isinstance(size, str) else size for size in self.shape]
        generator = torch.Generator().manual_seed(seed)
        if self.below is not None:
            return torch.randint(0, self.below, shape, generator=generator)
        return torch.randn(shape, generator=generator)


def image(side: int = 16) -> tuple[object, ...]:
    return ("batch", 3, side, side)


def conv(i: int, o: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(o), nn.ReLU())


class Residual(nn.Module):
    """A block with a shortcut, pooled and flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.start = conv(3, 16)
        self.inner = nn.Sequential(conv(16, 24), nn.Conv2d(24, 16, 3, padding=1))
        self.down = conv(16, 32, stride=2)
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x)
        x = self.down(functional.relu(x + self.inner(x)))
        return self.head(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


class SqueezeExcite(nn.Module):
    """Depthwise convolutions, and a gate of dense layers whose input is a view of two sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Sequential(conv(3, 16), conv(16, 16, groups=16))
        self.down, self.up = nn.Linear(16, 8), nn.Linear(8, 16)
        self.end = conv(16, 24)
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x)
        b, c = x.shape[:2]
        gate = functional.adaptive_avg_pool2d(x, 1).view(b, c)
        gate = torch.sigmoid(self.up(functional.hardswish(self.down(gate))))
        return self.head(self.end(x * gate.view(b, c, 1, 1)).mean((2, 3)))


class Shuffle(nn.Module):
    """Half of the channels goes through a branch, and both halves are shuffled."""

    def __init__(self) -> None:
        super().__init__()
        self.start = conv(3, 16)
        self.branch = nn.Sequential(conv(8, 12, 1), conv(12, 12, groups=12), conv(12, 8, 1))
        self.end = conv(16, 24, 1)
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.start(x).chunk(2, dim=1)
        x = torch.cat([a, self.branch(b)], dim=1)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.head(self.end(x).mean((2, 3)))


class Dense(nn.Module):
    """Every layer reads all before it; the end is a view of channels and places."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([conv(3, 16), conv(16, 12), conv(28, 12)])
        self.hidden = nn.Linear(40 * 16, 24)
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers[0](x)
        for layer in self.layers[1:]:
            x = torch.cat([x, layer(x)], dim=1)
        x = functional.max_pool2d(x, 4)
        return self.head(functional.relu(self.hidden(x.reshape(x.shape[0], -1))))


class Hourglass(nn.Module):
    """Down and up again, by a deconvolution and by interpolation, with shortcuts."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(3, 12), conv(12, 16, stride=2), conv(16, 24, stride=2)
        self.up = nn.ConvTranspose2d(24, 16, 2, 2)
        self.d = conv(32, 16)
        self.e = conv(28, 12)
        self.head = nn.Conv2d(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        b = self.b(a)
        y = self.d(torch.cat([self.up(self.c(b)), b], dim=1))
        y = functional.interpolate(y, scale_factor=2.0, mode="nearest")
        return self.head(self.e(torch.cat([y, a], dim=1)))


class Block(nn.Module):
    """Attention of three heads and a dense block."""

    def __init__(self, width: int = 24, heads: int = 3) -> None:
        super().__init__()
        self.heads = heads
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        b, s, c = x.shape
        mixed = self.project(self.first(x)).reshape(b, s, 3, self.heads, c // self.heads)
        q, k, v = mixed.permute(2, 0, 3, 1, 4)
        scores = torch.softmax(q @ k.transpose(-2, -1) / (c // self.heads) ** 0.5, dim=-1)
        x = x + self.join((scores @ v).transpose(1, 2).reshape(b, s, c))
        return x + self.down(functional.gelu(self.up(self.second(x))))


class Words(nn.Module):
    """A transformer over an open number of words, its positions a table."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(WORDS, 24), nn.Parameter(torch.randn(1, 32, 24))
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(24, 10)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids) + self.positions[:, : ids.shape[1]]
        return self.head(self.blocks(x))


class Patches(nn.Module):
    """A transformer over patches and a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 4, 4)
        self.token, self.positions = nn.Parameter(torch.randn(1, 1, 24)), nn.Parameter(torch.randn(1, 17, 24))
        self.block = Block()
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        return self.head(self.block(x)[:, 0])


class Multihead(nn.Module):
    """PyTorch's own layer of attention, whose sizes are computed from those of what comes in: heads and
    samples are on one axis, and positions are read off a tensor that has them so."""

    def __init__(self) -> None:
        super().__init__()
        torch.backends.mha.set_fastpath_enabled(False)
        self.patches = nn.Conv2d(3, 24, 4, 4)
        self.attention = nn.MultiheadAttention(24, 4, batch_first=True)
        self.head = nn.Linear(24, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head((x + self.attention(x, x, x, need_weights=False)[0]).mean(1))


class State(nn.Module):
    """A recurrent convolution whose first state is zeros like its input."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.cell = conv(3, 16), nn.Conv2d(32, 16, 3, padding=1)
        self.end = conv(16, 12)
        self.head = nn.Conv2d(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x)
        state = torch.zeros_like(x)
        for _ in range(2):
            state = torch.tanh(self.cell(torch.cat([x, state], dim=1)))
        return self.head(self.end(state))


class Boxes(nn.Module):
    """A detector's heads on two scales: rows of numbers for each place, put behind each other."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Sequential(conv(3, 16), conv(16, 16)), conv(16, 24, stride=2)
        self.on_a, self.on_b = nn.Conv2d(16, 12, 1), nn.Conv2d(24, 12, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        maps = [self.on_a(a), self.on_b(self.b(a))]
        rows = [y.permute(0, 2, 3, 1).reshape(y.shape[0], -1, 6) for y in maps]
        return torch.sigmoid(torch.cat(rows, dim=1))


CASES = {
    "residual": Case(Residual, image(), 0.3),
    "squeeze_excite": Case(SqueezeExcite, image(), 0.6),
    "shuffle": Case(Shuffle, image(), 0.7),
    "dense": Case(Dense, image(), 0.66),
    "hourglass": Case(Hourglass, image(), 0.3),
    "words": Case(Words, ("batch", "length"), 0.75, WORDS),
    "patches": Case(Patches, image(), 0.78),
    "multihead": Case(Multihead, image(), 0.9),
    "state": Case(State, image(), 0.9),
    "boxes": Case(Boxes, image(), 0.32),
}


def telling(case: Case) -> nn.Module:
    """The network with random statistics and offsets, so that outputs depend on everything."""
    torch.manual_seed(0)
    network = case.build().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.3, 0.8)
                module.bias.normal_(0, 0.2)
    return network


def export(case: Case, exporter: str, path: str) -> None:
    """Exports a network with open sizes."""
    network, x = telling(case), case.input(SIZES[0])
    places = {axis: size for axis, size in enumerate(case.shape) if isinstance(size, str)}
    options: dict[str, object] = {"input_names": ["x"], "output_names": ["y"]}
    if exporter == "dynamo":
        sizes = {axis: torch.export.Dim(name, max=32) for axis, name in places.items()}
        options.update(dynamo=True, external_data=False, verbose=False, dynamic_shapes=(sizes,))
    else:
        options.update(dynamo=False, opset_version=17, dynamic_axes={"x": places, "y": {0: "batch"}})
    torch.onnx.export(network, (x,), path, **options)
