"""The script that makes the user's own module into what the smaller program is."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import nn

from prunec.embedded.slices import Gather, ParameterSlice
from prunec.embedded.torch_module import Expected, _ways, cut_tensors
from prunec.pytorch import prune

BATCH = ({0: torch.export.Dim("batch")},)
IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
TABLE = "apply_to_module.py"


class Grouped(nn.Module):
    """A depthwise and a grouped convolution, normalisation of groups, tied layers, a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 12, 3, padding=1, bias=False)
        self.norm, self.act = nn.BatchNorm2d(12), nn.PReLU(12)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.point = nn.Conv2d(12, 16, 1)
        self.groups = nn.GroupNorm(4, 16)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.up = nn.ConvTranspose2d(16, 10, 2, stride=2)
        self.mix, self.again = nn.Linear(10, 10, bias=False), nn.Linear(10, 10, bias=False)
        self.again.weight = self.mix.weight
        self.register_buffer("scale", torch.rand(10) + 0.5, persistent=False)
        self.drop, self.head = nn.Dropout(0.3), nn.Linear(10, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.depthwise(self.act(self.norm(self.first(x))))
        x = self.up(self.grouped(self.groups(self.point(x)).relu())).mean((2, 3))
        x = self.again(self.mix(x).relu()) * self.scale
        return self.head(self.drop(x))


class Attention(nn.Module):
    """Heads by a view.  ``stated`` says whether it takes the width of all heads from an attribute; ``layer``
    is a number that has the size of a head by chance."""

    def __init__(self, stated: bool) -> None:
        super().__init__()
        self.layer, self.head_dim, self.inner, self.stated = 8, 8, 32, stated
        self.query, self.key, self.value, self.out = (nn.Linear(32, 32) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length = x.shape[:2]
        query, key, value = (
            layer(x).view(batch, length, -1, self.head_dim).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        x = nn.functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        x = x.reshape(batch, length, self.inner if self.stated else -1)
        return self.out(x) if self.layer == 8 else x


class Transformer(nn.Module):
    """Two blocks of attention."""

    def __init__(self, stated: bool = False) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 32, 4, 4), nn.LayerNorm(32)
        self.blocks = nn.ModuleList(Attention(stated) for _ in range(2))
        self.head = nn.Linear(32, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = x + block(self.norm(x))
        return self.head(x.mean(1))


class Hard(nn.Module):
    """Has a width in its code."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head, self.width = nn.Conv2d(3, 8, 3), nn.Linear(8, 4), 8

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.first(x).mean((2, 3)).view(x.shape[0], 8))


def script_of(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("script", folder / TABLE)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def compiled(model: nn.Module, folder: Path, **options: Any) -> Any:
    prune(model, (IMAGES[:2],), BATCH, verify=False, out=folder, **{"ratio": 0.5, **options})
    return script_of(folder)


def outputs(model: nn.Module, images: torch.Tensor = IMAGES) -> torch.Tensor:
    modes = {part: part.training for part in model.modules()}
    model.eval()
    with torch.no_grad():
        found = model(images)
    for part, mode in modes.items():
        part.training = mode
    return found


def of_program(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        return torch.export.load(folder / "model.pt2").module()(IMAGES)


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], Path]:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("compiled") / "out"
    model = Grouped()
    compiled(model, folder)
    return {"scale": model.scale, **model.state_dict()}, folder


def original(state: dict[str, torch.Tensor]) -> Grouped:
    model = Grouped()
    model.scale.copy_(state["scale"])
    model.load_state_dict({name: own for name, own in state.items() if name != "scale"})
    return model


def test_a_module_becomes_what_the_program_is(grouped: Any) -> None:
    state, folder = grouped
    model = original(state)
    model.norm.eval()
    tensors = dict(model.named_parameters())
    before = outputs(model)
    model.head.weight.grad = torch.zeros_like(model.head.weight)
    script_of(folder).apply(model)
    after = outputs(model)
    torch.testing.assert_close(after, of_program(folder), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(after, before, atol=1e-3)
    # The tensors are the same objects, so that who has them has the new ones.
    assert all(own is tensors[name] for name, own in model.named_parameters())
    assert model.again.weight is model.mix.weight and model.head.weight.grad is None
    # What layers say of themselves is true, and modes are as they were.
    assert (model.first.out_channels, model.norm.num_features, model.act.num_parameters) == (6, 6, 6)
    assert (model.depthwise.groups, model.depthwise.in_channels, model.depthwise.out_channels) == (6, 6, 6)
    width = model.grouped.weight.shape[0]
    assert width < 16 and model.grouped.in_channels == model.grouped.weight.shape[1] * model.grouped.groups
    assert (model.groups.num_channels, model.up.in_channels, model.up.out_channels) == (width, width, 5)
    assert model.mix.in_features == model.mix.out_features == len(model.scale) == 5
    assert model.training and model.drop.training and not model.norm.training
    assert model.state_dict().keys() == torch.export.load(folder / "model.pt2").state_dict.keys()

    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    model(IMAGES).square().mean().backward()
    optimiser.step()
    assert not torch.allclose(outputs(model), after)


def test_a_module_that_was_trained_further_is_cut(grouped: Any) -> None:
    state, folder = grouped
    model = original(state)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.mul_(1.25)
    weight = model.head.weight.clone()
    script = script_of(folder)
    script.cut(model, (IMAGES,))
    kept = script.slices_of(script.PARAMETERS, script.KEPT)["head.weight"].gathers[0].kept
    assert torch.equal(model.head.weight, weight[:, torch.from_numpy(kept.copy())])
    assert not torch.allclose(outputs(model), of_program(folder), atol=1e-3)
    # The file of weights gives it those of the program.
    library = pytest.importorskip("safetensors.torch", reason="needs safetensors")
    model.load_state_dict(library.load_file(folder / "model.safetensors"))
    torch.testing.assert_close(outputs(model), of_program(folder), rtol=1e-4, atol=1e-5)


def test_restored_values_are_applied(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Grouped()
    images = torch.randn(60, 3, 8, 8)
    script = compiled(model, tmp_path / "out", data=images, criterion="l1")
    only_cut = copy.deepcopy(model)
    script.cut(only_cut)
    script.apply(model)
    torch.testing.assert_close(outputs(model), of_program(tmp_path / "out"), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(outputs(only_cut), outputs(model), atol=1e-3)


@pytest.mark.parametrize("stated", [False, True])
def test_numbers_that_forward_methods_read_are_set(tmp_path: Path, stated: bool) -> None:
    torch.manual_seed(0)
    model = Transformer(stated)
    script = compiled(model, tmp_path / "out")
    script.apply(model, IMAGES)
    torch.testing.assert_close(outputs(model), of_program(tmp_path / "out"), rtol=1e-4, atol=1e-5)
    for block in model.blocks:
        assert block.head_dim == block.query.out_features // 4 < 8 and block.layer == 8
        assert block.inner == (block.out.in_features if stated else 32)
    assert model.norm.normalized_shape == (model.stem.out_channels,)


def check_untouched(model: nn.Module, state: dict[str, torch.Tensor], before: torch.Tensor) -> None:
    now = model.state_dict()
    assert all(torch.equal(now[name], state[name]) for name in state)
    assert torch.equal(outputs(model), before)


def test_what_cannot_follow_is_refused_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Hard()
    state = {name: own.clone() for name, own in model.state_dict().items()}
    before, text = outputs(model), repr(model)
    script = compiled(model, tmp_path / "out")
    with pytest.raises(script.Problem, match="does not run with the new sizes.*as it was"):
        script.apply(model)
    check_untouched(model, state, before)
    assert repr(model) == text and model.width == 8 and model.training


@pytest.mark.parametrize(
    "wrong", ["other values", "other code", "other shape", "sliced", "missing", "inputs"]
)
def test_other_modules_are_refused_as_they_were(grouped: Any, wrong: str) -> None:
    state, folder = grouped
    model, script, inputs = original(state), script_of(folder), None
    if wrong == "other values":  # of a buffer that is not in the state dict, and that is not the program's
        model.scale.mul_(2)
    if wrong == "other code":
        model.act.forward = lambda x: x.tanh()
    if wrong == "other shape":
        model.first = nn.Conv2d(3, 14, 3)
    if wrong == "missing":
        model.depthwise = nn.Identity()
    if wrong == "sliced":
        script.apply(model)
    if wrong == "inputs":
        inputs = (torch.zeros(2, 4, 8, 8),)
    said = {
        "other values": "does not compute what the smaller program does",
        "other code": "does not compute what the smaller program does",
        "other shape": r"'first.weight' has the shape \(14, 3, 3, 3\), not \(12, 3, 3, 3\)",
        "missing": "has no 'depthwise.weight'",
        "sliced": "it is sliced already",
        "inputs": "the smaller program does not run with this",
    }[wrong]
    now = {name: own.clone() for name, own in model.state_dict().items()}
    apply = script.cut if wrong == "other values" else script.apply
    with pytest.raises(script.Problem, match=said):
        apply(model, inputs)
    assert all(torch.equal(own, now[name]) for name, own in model.state_dict().items())
    if wrong not in ("missing", "other shape", "sliced"):
        assert model.depthwise.groups == 12 and outputs(model).shape == (6, 4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int8, torch.bool])
def test_all_types_of_elements_are_cut(dtype: torch.dtype) -> None:
    module = nn.Module()
    generator = torch.Generator().manual_seed(0)
    # More elements than the shorter types can count.
    numbers = torch.randint(2, (3000, 4), generator=generator)
    module.register_buffer("table", numbers.to(dtype).t().contiguous().t())
    kept = np.arange(1, 3000, 3)
    cut = ParameterSlice("table", (3000, 4), (3000, 4), (Gather(0, (), kept),), (1000, 4))
    found = cut_tensors(module, Expected({"table": cut}, {}, ()))["table"]
    assert found.dtype == dtype and torch.equal(found, module.table[1::3])


def test_ways_begin_with_few_and_end_with_all() -> None:
    assert list(_ways([])) == [{}, {}]
    assert list(_ways([1, 2]))[:-1] == [{}, {0: 0}, {1: 0}, {1: 1}, {0: 0, 1: 0}, {0: 0, 1: 1}]
    many = list(_ways([1] * 30))
    assert len(many) == 65 and len(many[-1]) == 30 and max(map(len, many[:-1])) == 2


def test_the_script_tells_its_use(grouped: Any) -> None:
    text = (grouped[1] / TABLE).read_text("ascii")
    assert "from apply_to_module import apply" in text and "prunec.embedded" not in text
