"""One architecture pruned by Torch-Pruning: ``python -m bench.onnx_torch_pruning NAME``.

Its high-level pruner as its examples for torchvision, timm and transformers use it, on the network that is
exported to ONNX as well.  Needs PyTorch and Torch-Pruning.  Prints one line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import warnings
from typing import Any, Iterator, Sequence

import torch
import torch_pruning

from bench.onnx_coverage import PATIENCE
from bench.onnx_export import first_line, samples, telling
from bench.onnx_networks import architecture

_RATIO = 0.5
#: What libraries call a module's number of heads, the layers that make queries, keys and values, and the
#: widths that follow from them: of one head, and of all.
_HEADS = ("num_heads", "num_attention_heads", "n_heads")
_KEYS_AND_VALUES = ("k", "v", "kv", "key", "value", "k_proj", "v_proj", "key_proj", "value_proj")
_QUERIES = ("qkv", "qkv_proj", "query_key_value", "q", "query", "q_proj", "query_proj")
_ONE_WIDTH = ("head_dim", "attention_head_size", "dim_per_head", "key_value_proj_dim")
_ALL_WIDTH = ("all_head_size", "attn_dim", "inner_dim")


def main() -> int:
    """Prunes, runs the result, and says what came of it; exit status 0 either way."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE + 10))
    one = architecture(sys.argv[1])
    network = telling(one)
    values = tuple(samples(one, 1).values())
    before, shapes = _count(network), _shapes(network, values)
    start = time.process_time()
    found: dict[str, Any] = {}
    try:
        prune(network, values)
        found["seconds"] = round(time.process_time() - start, 2)
        found["memory"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        found["left"] = _count(network) / before
        after = _shapes(network, values)
        found["runs"] = after == shapes
        found["reason"] = "" if found["runs"] else f"outputs of {after} instead of {shapes}"
    except Exception as error:  # what it cannot prune is a finding
        found.update(runs=False, reason=first_line(error))
    print(json.dumps(found))
    return 0


def _count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _shapes(network: torch.nn.Module, values: Sequence[Any]) -> list[tuple[int, ...]]:
    with torch.no_grad():
        found = network(*values)
    return [tuple(tensor.shape) for tensor in (found if isinstance(found, tuple) else (found,))]


def prune(network: Any, values: tuple[Any, ...]) -> None:
    """Prunes a network in place, half of each layer by L1."""
    heads = dict(_projections(network))
    rotary = any("rotary" in type(module).__name__.lower() for module in network.modules())
    vision = [
        m for m in network.modules() if type(m).__name__ == "VisionTransformer" and hasattr(m, "hidden_dim")
    ]
    merging = {type(m) for m in network.modules() if type(m).__name__ == "SwinPatchMerging"}
    options: dict[str, Any] = {}
    if rotary:
        # Whole heads: the frequencies of a rotation belong to positions within a head.
        options.update(prune_num_heads=True, prune_head_dims=False, head_pruning_ratio=_RATIO)
    if vision:
        options["round_to"] = vision[0].encoder.layers[0].num_heads
    if merging:
        options["customized_pruners"] = {kind: _PatchMerging() for kind in merging}
        options["root_module_types"] = [torch.nn.Linear, torch.nn.LayerNorm, *merging]
    pruner = torch_pruning.pruner.BasePruner(
        network,
        values,
        importance=torch_pruning.importance.MagnitudeImportance(p=1),
        pruning_ratio=_RATIO,
        global_pruning=False,
        ignored_layers=_last_layers(network, values),
        num_heads=heads,
        out_channel_groups={m.gate_up_proj: 2 for m in network.modules() if hasattr(m, "gate_up_proj")},
        **options,
    )
    pruner.step()
    _tell_widths(network, pruner.num_heads)
    for module in vision:
        module.hidden_dim = module.conv_proj.out_channels


def _last_layers(network: torch.nn.Module, values: Sequence[Any]) -> list[torch.nn.Module]:
    """The layers that make the outputs, which keep their width: going back from the outputs along the
    gradients, those whose parameters are met first."""
    owners = {id(p): module for module in network.modules() for p in module.parameters(recurse=False)}
    found = network(*values)
    ways = [tensor.grad_fn for tensor in (found if isinstance(found, tuple) else (found,))]
    last: dict[int, torch.nn.Module] = {}
    seen = set()
    while ways:
        step = ways.pop()
        if step is None or step in seen:
            continue
        seen.add(step)
        before = [node for node, _ in step.next_functions if node is not None]
        # A layer's weight is transposed on its way.
        before += [far for node in before if len(node.next_functions) == 1 for far, _ in node.next_functions]
        parameters = [node.variable for node in before if hasattr(node, "variable")]
        last.update((id(p), owners[id(p)]) for p in parameters)
        if not parameters:
            ways += [node for node, _ in step.next_functions]
    return list(dict.fromkeys(last.values()))


def _projections(network: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, int]]:
    for module in network.modules():
        heads = _attribute(module, _HEADS)
        if heads is None:
            continue
        grouped = getattr(getattr(module, "config", None), "num_key_value_heads", None) or heads
        for name, layer in module.named_children():
            if isinstance(layer, torch.nn.Linear) and name in _QUERIES + _KEYS_AND_VALUES:
                yield layer, grouped if name in _KEYS_AND_VALUES else heads


def _attribute(module: Any, names: Sequence[str]) -> Any:
    places = (module, getattr(module, "config", None))
    if not any(isinstance(child, torch.nn.Linear) for child in module.children()):
        return None
    found = (getattr(place, name, None) for place in places for name in names)
    return next((value for value in found if isinstance(value, int)), None)


def _tell_widths(network: torch.nn.Module, heads: dict[torch.nn.Module, int]) -> None:
    """Modules that keep a number of heads or a width beside their layers learn the new one, and so do their
    configurations."""
    for module in network.modules():
        for name, layer in module.named_children():
            if layer not in heads:
                continue
            fused = name in ("qkv", "qkv_proj", "query_key_value")
            told = {}
            if fused or name in _KEYS_AND_VALUES:
                told["num_key_value_heads"] = heads[layer]
            if name in _QUERIES:
                width = layer.out_features // (3 if fused else 1)
                told.update(dict.fromkeys(_HEADS, heads[layer]), **dict.fromkeys(_ALL_WIDTH, width))
                told.update(dict.fromkeys(_ONE_WIDTH, width // heads[layer]))
            for place in (module, getattr(module, "config", None)):
                for key, value in told.items():
                    if isinstance(getattr(place, key, None), int):
                        setattr(place, key, value)


class _PatchMerging(torch_pruning.BasePruningFunc):
    """Swin's layer that puts four patches side by side: an input channel is a channel of each."""

    def prune_out_channels(self, layer: Any, idxs: Sequence[int]) -> Any:
        torch_pruning.prune_linear_out_channels(layer.reduction, idxs)
        return layer

    def prune_in_channels(self, layer: Any, idxs: Sequence[int]) -> Any:
        width = self.get_in_channels(layer)
        all_four = [patch * width + index for patch in range(4) for index in idxs]
        torch_pruning.prune_linear_in_channels(layer.reduction, all_four)
        torch_pruning.prune_layernorm_out_channels(layer.norm, all_four)
        return layer

    def get_out_channels(self, layer: Any) -> int:
        return int(layer.reduction.out_features)

    def get_in_channels(self, layer: Any) -> int:
        return int(layer.reduction.in_features // 4)


if __name__ == "__main__":
    sys.exit(main())
