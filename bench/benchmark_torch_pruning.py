"""A network loaded, pruned by Torch-Pruning and saved.

``python -m bench.benchmark_torch_pruning NAME IN OUT``.

With ``--save NAME IN`` the network is written to IN, as a whole.  Needs PyTorch and Torch-Pruning.
"""

from __future__ import annotations

import sys
import warnings

import torch

from bench.onnx_export import Plain, samples
from bench.onnx_networks import architecture


def main() -> int:
    """Prunes, or saves a network to be pruned."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if sys.argv[1] == "--save":
        name, target = sys.argv[2:]
        torch.manual_seed(0)
        torch.save(Plain(architecture(name).build(), architecture(name)).eval(), target)
        return 0
    name, source, target = sys.argv[1:]
    from bench.onnx_torch_pruning import prune

    network = torch.load(source, weights_only=False)
    prune(network, tuple(samples(architecture(name), 1).values()))
    torch.save(network, target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
