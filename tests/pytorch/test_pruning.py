"""From a module to a smaller one that is proved, trained and saved."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs PyTorch")

import torch
from torch import nn

import prunec.pytorch.pruning as pruning
from prunec import PrunecError
from prunec.compiling.calling import example_file
from prunec.pytorch import PrunedModule, prune

BATCH = ({0: torch.export.Dim("batch")},)
IMAGES, CLASSES = torch.randn(60, 3, 8, 8, generator=torch.Generator().manual_seed(1)), torch.arange(60) % 4


def network() -> nn.Module:
    torch.manual_seed(0)
    first = [nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU()]
    second = [nn.Conv2d(12, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()]
    last = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 4)]
    return nn.Sequential(*first, *second, *last)


def loss_of(module: nn.Module) -> torch.Tensor:
    return nn.functional.cross_entropy(module(IMAGES), CLASSES)


@pytest.fixture(scope="module")
def pruned() -> PrunedModule:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="prunec")
        return prune(network(), (IMAGES[:2],), BATCH, ratio=0.5)


def test_the_smaller_module_is_proved(pruned: PrunedModule) -> None:
    report = pruned.report
    assert report.verdict == "proved" and report.warnings == () and report.quality is None
    before, after = report.parameters
    # Half of 12 and of 8 channels: 3*6*9+6, 6*4*9+4, two normalisations, 4*4+4; statistics among them.
    parameters = sum(tensor.numel() for tensor in network().parameters())
    assert before == parameters + 2 * (12 + 8) and after == (162 + 6) + (216 + 4) + 4 * (6 + 4) + 20
    assert report.multiply_adds[1] < report.multiply_adds[0] / 2
    assert pruned.plan["format"] == "prunec plan" and pruned.plan["method"]["ratio"] == 0.5
    assert report.document["format"] == "prunec compile"
    assert pruned.module.state_dict()["0.weight"].shape == (6, 3, 3, 3)


def test_the_smaller_module_is_trained(pruned: PrunedModule) -> None:
    with torch.no_grad():
        in_eval = pruned.exported.module()(IMAGES)
        assert torch.equal(in_eval, pruned.exported.module()(IMAGES))
    optimiser = torch.optim.Adam(pruned.module.parameters(), lr=0.01)
    statistics = pruned.module.state_dict()["1.running_mean"].clone()
    losses = []
    for _ in range(20):
        loss = loss_of(pruned.module)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < losses[0]
    assert not torch.equal(pruned.module.state_dict()["1.running_mean"], statistics)
    trained = pruned.exported.module()
    trained.load_state_dict(pruned.module.state_dict())
    with torch.no_grad():
        assert not torch.allclose(trained(IMAGES), in_eval)


def test_examples_restore(tmp_path: Path) -> None:
    model = network()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    found = prune(
        model, (IMAGES[:2],), BATCH, target="params=0.5", data=(IMAGES, CLASSES), out=tmp_path / "o"
    )
    assert [module.training for module in model.modules()] == modes
    quality = {own["name"]: own["change"] for own in found.report.quality["models"]}
    assert found.report.quality["kept"] == found.plan["method"]["restored"]
    assert quality[found.report.quality["kept"]] < quality["cut"]
    assert found.report.verdict == "proved"
    # The files stay, and the module has the values of the restored one.
    assert json.loads((tmp_path / "o/plan.json").read_text()) == found.plan
    kept = torch.export.load(tmp_path / "o/model.pt2").state_dict
    for name, tensor in found.module.state_dict().items():
        assert torch.equal(tensor, kept[name])


@pytest.mark.parametrize("form", ["array", "tuple", "names", "file"])
def test_examples_come_in_several_forms(tmp_path: Path, form: str) -> None:
    np.savez(tmp_path / "given.npz", input=IMAGES.numpy())
    data = {
        "array": IMAGES.numpy(),
        "tuple": (IMAGES, CLASSES),
        "names": {"input": IMAGES, "labels": CLASSES},
        "file": tmp_path / "given.npz",
    }[form]
    with np.load(example_file(data, tmp_path)) as read:
        arrays = dict(read)
    np.testing.assert_array_equal(arrays.pop("input" if form in ("names", "file") else "inputs"), IMAGES)
    assert list(arrays) == (["labels"] if form in ("tuple", "names") else [])


def test_what_is_not_proved_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {
        "totals": {key: {"before": 2, "after": 1} for key in ("parameters", "multiply_adds")},
        "verification": {"outcome": "differs"},
        "quality": None,
        "warnings": [{"code": "P509", "headline": "a warning"}],
    }
    monkeypatch.setattr(pruning, "compile_model", lambda options: (1, json.dumps(document)))
    with pytest.warns(UserWarning, match="not proved: differs"):
        report = pruning._compiled(["compile", "net.pt2"])
    assert report.verdict == "differs" and report.warnings == ("P509: a warning",)
    assert report.parameters == (2, 1)


class WithoutGradients(nn.Module):
    """A part of it is computed without gradients, as tables of positions are."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 1), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            positions = torch.arange(x.shape[-1], dtype=torch.float32).sin()
        return self.last((self.first(x) * positions).mean((2, 3)))


def test_what_is_computed_without_gradients_is_no_barrier() -> None:
    found = prune(WithoutGradients(), (IMAGES[:2],), BATCH, ratio=0.5)
    assert found.report.verdict == "proved" and found.module.state_dict()["first.weight"].shape[0] == 4
    loss_of(found.module).backward()
    assert all(own.grad is not None and bool(own.grad.any()) for own in found.module.parameters())


class Refused(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[: int(x.sum())].tolist()


@pytest.mark.parametrize(
    "model, options, error, said",
    [
        (Refused(), {}, PrunecError, "P701: PyTorch cannot export the model"),
        (network(), {"ratio": 1.5}, ValueError, "'1.5' is not a share"),
        (network(), {"target": "speed=1"}, ValueError, "targets are macs"),
        (network(), {"policy": "/nowhere.prune"}, PrunecError, "P107"),
        (network(), {"data": torch.zeros(9, 2)}, PrunecError, "P532"),
    ],
)
def test_what_is_refused_says_why(model: nn.Module, options: dict, error: type, said: str) -> None:
    with pytest.raises(error, match=said):
        prune(model, (IMAGES[:2],), **options)


def test_pytorch_is_not_imported_before_it_is_used() -> None:
    code = "import sys, prunec.pytorch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
