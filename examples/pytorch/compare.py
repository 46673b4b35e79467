"""prunec beside Torch-Pruning on two networks: ``python compare.py`` writes RESULTS.md and results.svg.

Networks are trained from several seeds, made smaller until a share of the multiply-adds is left, and
fine-tuned for as many epochs whoever made them smaller.  Needs PyTorch, Torch-Pruning and scikit-learn.
``--quick`` runs one seed and one budget.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import torch
import torch_pruning
from networks import NETWORKS, SIDE
from results import plot, text
from torch import nn
from training import accuracy, images, train

from prunec.pytorch import prune

HERE = Path(__file__).resolve().parent
SEEDS, BUDGETS = (0, 1, 2), (0.5, 0.25)
EPOCHS, TUNING = 40, 5
RATE, TUNING_RATE = 2e-3, 5e-4
#: Training images that prunec restores with, without their labels.
EXAMPLES = 512


@dataclass(frozen=True)
class Result:
    """One network made smaller in one way: accuracies before fine-tuning and after each epoch of it."""

    network: str
    seed: int
    budget: float
    way: str
    multiply_adds: float
    curve: tuple[float, ...]
    seconds: float


def main() -> int:
    """Runs everything and writes the table and the plot."""
    parser = argparse.ArgumentParser(description="prunec beside Torch-Pruning on two networks")
    parser.add_argument("--quick", action="store_true", help="one seed, one budget, nothing written")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds, budgets = (SEEDS[:1], BUDGETS[:1]) if options.quick else (SEEDS, BUDGETS)
    originals: dict[str, list[float]] = {}
    results: list[Result] = []
    for name in NETWORKS:
        for seed in seeds:
            module = trained(name, seed)
            originals.setdefault(name, []).append(accuracy(module))
            print(f"{name} {seed}: {originals[name][-1]:.2%}", flush=True)
            for budget in budgets:
                for way, smaller in WAYS.items():
                    results.append(measured(name, seed, budget, way, module, smaller))
                    print(results[-1], flush=True)
    if not options.quick:
        (HERE / "RESULTS.md").write_text(text(originals, results), encoding="utf-8")
        (HERE / "results.svg").write_text(plot(originals, results), encoding="utf-8")
    return 0


def trained(name: str, seed: int) -> nn.Module:
    """A network trained from a seed, in eval mode."""
    torch.manual_seed(seed)
    module: nn.Module = NETWORKS[name]()
    for _ in train(module, EPOCHS, RATE, seed):
        pass
    return module.eval()


def measured(
    name: str, seed: int, budget: float, way: str, module: nn.Module, smaller: Callable[..., Any]
) -> Result:
    """One network made smaller, measured, fine-tuned and measured after each epoch."""
    start = time.monotonic()
    used, tuned, left = smaller(module, budget)
    seconds = time.monotonic() - start
    curve = [accuracy(used)]
    for _ in train(tuned, TUNING, TUNING_RATE, seed):
        used.load_state_dict(tuned.state_dict())
        curve.append(accuracy(used))
    return Result(name, seed, budget, way, left, tuple(curve), seconds)


# Each way gives the smaller network as it is used, as it is trained, and the share of multiply-adds left.


def restored(module: nn.Module, budget: float) -> tuple[nn.Module, nn.Module, float]:
    """By prunec, what goes restored."""
    return _pruned(module, budget, data=images()[0][:EXAMPLES].numpy())


def cut(module: nn.Module, budget: float) -> tuple[nn.Module, nn.Module, float]:
    """By prunec, by the sizes of weights alone."""
    return _pruned(module, budget)


def _pruned(module: nn.Module, budget: float, **options: Any) -> tuple[nn.Module, nn.Module, float]:
    batch = torch.export.Dim("batch")
    example = images()[0][:2]
    found = prune(module, (example,), ({0: batch},), target=f"macs={budget}", **options)
    before, after = found.report.multiply_adds
    assert found.report.verdict == "proved" and before and after
    return found.exported.module(), found.module, after / before


def torch_pruning_cut(module: nn.Module, budget: float) -> tuple[nn.Module, nn.Module, float]:
    """By Torch-Pruning, with the share of channels that leaves as many multiply-adds."""
    example = torch.zeros(1, 1, SIDE, SIDE)
    before = torch_pruning.utils.count_ops_and_params(module, example)[0]
    low, high = 0.0, 0.95
    found, left = module, 1.0
    for _ in range(7):
        share = (low + high) / 2
        other = _torch_pruned(module, share, example)
        after = torch_pruning.utils.count_ops_and_params(other, example)[0] / before
        if after > budget:
            low = share
        else:
            high, found, left = share, other, after
    return copy.deepcopy(found).eval(), found.train(), left


def _torch_pruned(module: nn.Module, share: float, example: torch.Tensor) -> nn.Module:
    smaller = copy.deepcopy(module)
    parts = dict(smaller.named_modules())
    heads = {
        parts[f"{name}.{own}"]: 4
        for name, part in parts.items()
        if hasattr(part, "head_width")
        for own in ("queries", "keys", "values")
    }
    pruner = torch_pruning.pruner.BasePruner(
        smaller,
        example,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=share,
        ignored_layers=[parts["classes"]],
        num_heads=heads,
        prune_num_heads=True,
        prune_head_dims=False,
        head_pruning_ratio=share,
        unwrapped_parameters=[(p, 2) for n, p in smaller.named_parameters() if n == "places"],
    )
    pruner.step()
    return smaller


WAYS: dict[str, Callable[[nn.Module, float], tuple[nn.Module, nn.Module, float]]] = {
    "prunec, restored": restored,
    "prunec, cut": cut,
    "Torch-Pruning": torch_pruning_cut,
}

if __name__ == "__main__":
    sys.exit(main())
