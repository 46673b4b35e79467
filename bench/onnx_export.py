"""One architecture built and exported to ONNX: ``python -m bench.onnx_export NAME EXPORTER FILE [OPEN…]``.

A process of its own for each export.  OPEN is what stays open: ``batch``, and ``length``, how many words a
text has.  Needs PyTorch.  Prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import time
import warnings
from typing import Any, Iterator, Sequence

# Attention as products and a softmax: one operator that does all of it cannot be traced by every tool.
os.environ.setdefault("TIMM_FUSED_ATTN", "0")

import torch

from bench.onnx_networks import Architecture, Input, architecture

#: How many random samples the parameters are fitted to.
_SAMPLES = 4
#: The size of what is added to normalised values, beside their deviation of one.
_OFFSET = 0.1
#: Offsets that some libraries draw are smaller than this, and drown beside normalised values.
_FAINT = 1e-3


def main() -> int:
    """Exports, and says how long it took or why it did not work; exit status 0 either way."""
    name, exporter, path = sys.argv[1:4]
    left_open = sys.argv[4:]
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    # Layers of attention in one operator of PyTorch's own, which only one of its exporters knows.
    torch.backends.mha.set_fastpath_enabled(False)
    one = architecture(name)
    network = telling(one)
    start = time.process_time()
    try:
        with contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            # Of a batch of one, exporters take it that there never is another.
            values = tuple(samples(one, 2 if left_open else 1).values())
            _export(network, values, one, exporter, path, left_open)
    except Exception as error:  # what PyTorch cannot export is a finding
        print(json.dumps({"exported": False, "reason": first_line(error)}))
        return 0
    print(json.dumps({"exported": True, "export_seconds": round(time.process_time() - start, 1)}))
    return 0


def _export(
    network: torch.nn.Module,
    values: tuple[Any, ...],
    one: Architecture,
    exporter: str,
    path: str,
    left_open: Sequence[str],
) -> None:
    names = [own.name for own in one.inputs]
    options: dict[str, Any] = {"input_names": names}
    sizes = [open_sizes(own, left_open) for own in one.inputs]
    if exporter == "dynamo":
        options.update(dynamo=True, external_data=False, verbose=False)
        if left_open:
            dims = {size: torch.export.Dim(size) for own in sizes for size in own.values()}
            options["dynamic_shapes"] = {
                "values": tuple({axis: dims[size] for axis, size in own.items()} for own in sizes)
            }
    else:
        options.update(dynamo=False, opset_version=17)
        if left_open:
            options["dynamic_axes"] = dict(zip(names, sizes))
    torch.onnx.export(network, values, path, **options)


def open_sizes(own: Input, left_open: Sequence[str]) -> dict[int, str]:
    """The names of an input's open sizes by axis: its batch, and of a text its length."""
    axes = {0: "batch", 1: "length"} if own.below is not None else {0: "batch"}
    return {axis: size for axis, size in axes.items() if size in left_open}


def first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


# --- the network ---


class Plain(torch.nn.Module):
    """A network that takes its inputs in order and gives tensors alone."""

    def __init__(self, network: torch.nn.Module, one: Architecture) -> None:
        super().__init__()
        self.network = network
        self.names = [own.name for own in one.inputs]
        self.output = one.output
        self.by_name = one.configuration is not None
        self.attends = one.attends

    def forward(self, *values: Any) -> Any:
        """The output that counts."""
        if not self.by_name:
            found = self.network(*values)
        else:
            mask = {self.attends: torch.ones_like(values[-1])} if self.attends else {}
            found = self.network(**dict(zip(self.names, values)), **mask)
        return found if self.output is None else found[self.output]


def telling(one: Architecture, seed: int = 0) -> Plain:
    """The network with random parameters such that its outputs depend on its inputs.

    Libraries start networks so that they train well: scales of one or a millionth, offsets of zero.  With
    those a comparison would say little, and values fade or grow from layer to layer.  Here every scale and
    offset is random, and each layer, in the order they run in, is scaled so that random samples leave it with
    a deviation of one.
    """
    torch.manual_seed(seed)
    network = Plain(one.build(), one)
    network.eval()
    with torch.no_grad():
        _shake(network)
        with _fitting(network):
            network(*samples(one, _SAMPLES, seed).values())
    return network


def samples(one: Architecture, batch: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random inputs by name."""
    generator = torch.Generator().manual_seed(seed)
    return {own.name: _sample(own, batch, generator) for own in one.inputs}


def _sample(own: Input, batch: int, generator: torch.Generator) -> torch.Tensor:
    shape = (batch, *own.shape)
    if own.below is not None:
        return torch.randint(0, own.below, shape, generator=generator)
    return torch.randn(shape, generator=generator)


def _shake(network: torch.nn.Module) -> None:
    """Parameters whose elements are all alike, or too faint to be seen, become random: scales around one, and
    small offsets."""
    for parameter in network.parameters():
        if not parameter.is_floating_point() or not parameter.numel():
            continue
        first = parameter.flatten()[:1]
        alike = not bool((parameter != first).any())
        if (alike and first == 0) or (not alike and parameter.abs().max() < _FAINT):
            parameter.normal_(0, _OFFSET)
        elif alike:
            parameter.uniform_(0.5, 1.5)


@contextlib.contextmanager
def _fitting(network: torch.nn.Module) -> Iterator[None]:
    seen: set[int] = set()
    handles = []
    for module in network.modules():
        if getattr(module, "running_mean", None) is not None:
            handles.append(module.register_forward_pre_hook(_fit_statistics))
        elif isinstance(getattr(module, "weight", None), torch.nn.Parameter) and module.weight.dim() > 1:
            if not isinstance(module, torch.nn.Embedding):
                handles.append(module.register_forward_hook(lambda m, x, y: _fit_layer(m, y, seen)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _fit_statistics(module: Any, inputs: tuple[Any, ...]) -> None:
    """Sets a batch norm's statistics to those of its input, not quite: what is exact would hide mistakes."""
    x = inputs[0]
    over = [axis for axis in range(x.dim()) if axis != 1]
    variance, mean = torch.var_mean(x, over, unbiased=False)
    module.running_mean.copy_(mean + _OFFSET * variance.sqrt() * torch.randn_like(mean))
    module.running_var.copy_((variance + 1e-3) * torch.empty_like(variance).uniform_(0.5, 1.5))


def _fit_layer(module: Any, output: Any, seen: set[int]) -> Any:
    """Scales a layer's weight so that its output has a deviation of one, and gives that output."""
    if not isinstance(output, torch.Tensor) or id(module) in seen:
        return None
    seen.add(id(module))
    deviation = output.std()
    if not deviation > 1e-8:
        return None
    module.weight.div_(deviation)
    if getattr(module, "bias", None) is not None:
        module.bias.div_(deviation)
    return output / deviation


if __name__ == "__main__":
    sys.exit(main())
