"""Programs that were exported in eval mode are trained, and their weights go back into them."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from frontends.pytorch.archives import NEWEST
from frontends.pytorch.compiling import compiled

from prunec import PrunecError
from prunec.pytorch import training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled")
    compiled(path)
    return path


@pytest.mark.parametrize("ending", [".pt2", "-train.pt2"])
def test_a_smaller_program_is_trained(folder: Path, ending: str) -> None:
    torch.manual_seed(0)
    module = training(folder / f"{NEWEST.stem}{ending}")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    assert set(dict(module.named_parameters())) >= {"first.weight", "norm.weight", "last.bias"}
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    images, classes = torch.randn(16, 3, 8, 8), torch.arange(16) % 4
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(module(images), classes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.05
    after = module.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert {"norm.running_mean", "norm.running_var", "first.weight", "last.weight"} <= moved
    assert torch.equal(after["mix.weight"], after["again.weight"])
    # Dropout drops: two runs differ.
    assert not torch.equal(module(images), module(images))

    small = torch.export.load(folder / NEWEST.name).module()
    small.load_state_dict(after)
    with torch.no_grad():
        first, second = small(images), small(images)
    assert torch.equal(first, second)
    assert torch.equal(small.state_dict()["norm.running_mean"], after["norm.running_mean"])


def test_the_state_dict_is_loaded_by_its_file(folder: Path) -> None:
    library = pytest.importorskip("safetensors.torch", reason="needs safetensors")
    module = training(folder / NEWEST.name)
    state = module.state_dict()
    loaded = library.load_file(folder / f"{NEWEST.stem}.safetensors")
    assert set(loaded) == set(state)
    for name, tensor in loaded.items():
        assert torch.equal(tensor, state[name])


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"PK\3\4 and nothing else")
    for name, code in (("net.pt2", "P340"), ("none.pt2", "P301")):
        with pytest.raises(PrunecError) as caught:
            training(tmp_path / name)
        assert caught.value.diagnostics[0].code == code
