"""Usual parts of networks, exported with an open batch: proved, and damage to any parameter is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from damage import survivors

from prunec.analysis.analyse import analyse
from prunec.channels.removal import illegal, uniform
from prunec.frontends.pytorch.front_end import FRONT_END
from prunec.frontends.pytorch.model import read_model
from prunec.frontends.pytorch.model_runtime import PytorchRuntime
from prunec.language.library import load
from prunec.rewriting.emit import emit
from prunec.rewriting.slicing import mask_array
from prunec.verifying.proof import prove
from prunec.verifying.running import Examples, Subject

torch = pytest.importorskip("torch", reason="PyTorch exports the networks and runs them")
nn, functional = torch.nn, torch.nn.functional


class Function(nn.Module):
    """A network of some layers, its forward pass a function of these and the input."""

    def __init__(self, forward, **layers):
        super().__init__()
        self.run = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.run(self, x)


def heads(x, count):
    return x.view(x.shape[0], x.shape[1], -1, count).transpose(1, 2)


def attention(m, x):
    q, k, v = (heads(layer(x), 4) for layer in (m.q, m.k, m.v))
    return m.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def shared_heads(m, x):
    q, k, v = heads(m.q(x), 4), heads(m.k(x), 4), heads(m.v(x), 4)
    return m.out(functional.scaled_dot_product_attention(q, k, v, enable_gqa=True).transpose(1, 2).flatten(2))


def fused(m, x):
    q, k, v = m.qkv(x).chunk(3, -1)
    found = functional.scaled_dot_product_attention(heads(q, 4), heads(k, 4), heads(v, 4))
    return m.out(found.transpose(1, 2).flatten(2))


IMAGE, WORDS = (3, 10, 10), (5, 12)
PATTERNS = {
    "chain": (
        IMAGE,
        lambda: Function(
            lambda m, x: m.c(functional.relu(m.n(m.a(x)))),
            a=nn.Conv2d(3, 8, 3, padding=1),
            n=nn.BatchNorm2d(8),
            c=nn.Conv2d(8, 4, 3),
        ),
    ),
    "residual": (
        IMAGE,
        lambda: Function(
            lambda m, x: m.head((m.b(torch.relu(m.a(m.stem(x)))) + m.stem(x)).mean((2, 3))),
            stem=nn.Conv2d(3, 8, 1),
            a=nn.Conv2d(8, 6, 3, padding=1),
            b=nn.Conv2d(6, 8, 3, padding=1),
            head=nn.Linear(8, 4),
        ),
    ),
    "depthwise": (
        IMAGE,
        lambda: Function(
            lambda m, x: m.out(
                torch.sigmoid(m.gate(m.deep(m.a(x)).mean((2, 3), keepdim=True))) * m.deep(m.a(x))
            ),
            a=nn.Conv2d(3, 8, 1),
            deep=nn.Conv2d(8, 8, 3, groups=8),
            gate=nn.Conv2d(8, 8, 1),
            out=nn.Conv2d(8, 4, 1),
        ),
    ),
    "grouped": (
        IMAGE,
        lambda: Function(
            lambda m, x: m.out(torch.relu(m.b(m.a(x)))),
            a=nn.Conv2d(3, 8, 1),
            b=nn.Conv2d(8, 12, 3, groups=2),
            out=nn.Conv2d(12, 4, 1),
        ),
    ),
    "concatenated": (
        IMAGE,
        lambda: Function(
            lambda m, x: m.out(torch.cat([m.a(x), m.b(x), x], 1).flatten(1)),
            a=nn.Conv2d(3, 4, 1),
            b=nn.Conv2d(3, 6, 1),
            out=nn.Linear(13 * 100, 4),
        ),
    ),
    "upwards": (
        IMAGE,
        lambda: Function(
            lambda m, x: m.out(functional.interpolate(functional.gelu(m.up(m.a(x))), scale_factor=2.0)),
            a=nn.Conv2d(3, 8, 3),
            up=nn.ConvTranspose2d(8, 6, 2, 2),
            out=nn.Conv2d(6, 3, 1),
        ),
    ),
    "normalised in groups": (
        IMAGE,
        lambda: Function(
            lambda m, x: m.out(functional.silu(m.n(m.a(x)))),
            a=nn.Conv2d(3, 12, 1),
            n=nn.GroupNorm(3, 12),
            out=nn.Conv2d(12, 4, 1),
        ),
    ),
    "attention": (
        WORDS,
        lambda: Function(
            attention, q=nn.Linear(12, 16), k=nn.Linear(12, 16), v=nn.Linear(12, 16), out=nn.Linear(16, 12)
        ),
    ),
    "attention with shared heads": (
        WORDS,
        lambda: Function(
            shared_heads, q=nn.Linear(12, 16), k=nn.Linear(12, 8), v=nn.Linear(12, 8), out=nn.Linear(16, 12)
        ),
    ),
    "queries, keys and values in one": (
        WORDS,
        lambda: Function(fused, qkv=nn.Linear(12, 48), out=nn.Linear(16, 12)),
    ),
    "gated": (
        WORDS,
        lambda: Function(
            lambda m, x: x + m.down(functional.silu(m.gate(m.n(x))) * m.up(m.n(x))),
            n=nn.RMSNorm(12),
            gate=nn.Linear(12, 10, bias=False),
            up=nn.Linear(12, 10, bias=False),
            down=nn.Linear(10, 12, bias=False),
        ),
    ),
    "normalised in layers": (
        WORDS,
        lambda: Function(
            lambda m, x: m.head(m.n(m.stem(x) + m.down(functional.gelu(m.up(m.stem(x)))))),
            stem=nn.Linear(12, 16),
            up=nn.Linear(16, 10),
            down=nn.Linear(10, 16),
            n=nn.LayerNorm(16),
            head=nn.Linear(16, 4),
        ),
    ),
    "read in part": (
        WORDS,
        lambda: Function(
            lambda m, x: m.out(torch.tanh(m.a(x)[..., 2:9]) + m.b(x)[:, 0:1]),
            a=nn.Linear(12, 10),
            b=nn.Linear(12, 7),
            out=nn.Linear(7, 4),
        ),
    ),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_are_proved_and_damage_is_seen(name, tmp_path):
    shape, make = PATTERNS[name]
    torch.manual_seed(0)
    network = make().eval()
    with torch.no_grad():
        for parameter in (*network.parameters(), *network.buffers()):
            if parameter.is_floating_point() and bool((parameter == parameter.flatten()[0]).all()):
                parameter.uniform_(0.5, 1.5)
        program = torch.export.export(
            network, (torch.randn(2, *shape),), dynamic_shapes=({0: torch.export.Dim("batch")},), strict=False
        )
    torch.export.save(program, tmp_path / "net.pt2")
    model = read_model(tmp_path / "net.pt2")
    analysis = analyse(model, load(["aten.prune"]))
    removed = uniform(analysis.solution, 0.5, np.random.default_rng(1).random(analysis.solution.unit_count))
    assert not illegal(analysis.solution, removed)
    pruned = emit(analysis, removed)
    assert pruned.slices
    (tmp_path / "out").mkdir()
    FRONT_END.write_data(model, pruned, tmp_path / "out")
    small = read_model(tmp_path / "out" / "net.pt2").program
    masked = {own.name: mask_array(own, model.parameter(own.name)) for own in pruned.slices}
    subject = Subject(analysis, pruned, model.runtime(), PytorchRuntime(small, model.content), masked)
    random = np.random.default_rng(2)
    # At another batch than the export's.
    examples = Examples(*({"x": random.normal(size=(3, *shape)).astype(np.float32)} for _ in range(2)))
    verdict = prove(subject, examples)
    assert verdict.proved, [str(own) for own in verdict.unwitnessed]

    def damaged(parameter, array):
        arrays = {own: small.raw(own) for own in small.tensors}
        arrays[parameter] = small.stored_form(parameter, array)
        return PytorchRuntime(replace(small, archive=None, arrays=arrays), model.content)

    originals = {own.name: model.parameter(own.name) for own in pruned.slices}
    assert survivors(subject, verdict, originals, [examples], damaged) == []
