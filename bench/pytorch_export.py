"""One architecture exported as a program of PyTorch: ``python -m bench.pytorch_export NAME FILE [OPEN…]``.

As users export: attention in one operator where there is one, the batch left open where OPEN holds ``batch``
and the length of texts where it holds ``length``.  A process of its own for each export.  Prints one line of
JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings

os.environ["TIMM_FUSED_ATTN"] = "1"

import torch

from bench.onnx_export import first_line, open_sizes, samples, telling
from bench.onnx_networks import architecture

#: How many samples the example has: of one, it is taken that there never are others.
_BATCH = 2


def main() -> int:
    """Exports, and says how long it took or why it did not work; exit status 0 either way."""
    name, path, *left_open = sys.argv[1:]
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    one = architecture(name)
    start = time.process_time()
    try:
        network = _built(name)
        values = tuple(samples(one, _BATCH).values())
        sizes = [open_sizes(own, left_open) for own in one.inputs]
        dims = {size: torch.export.Dim(size) for own in sizes for size in own.values()}
        shapes = tuple({axis: dims[size] for axis, size in own.items()} for own in sizes)
        options = {"dynamic_shapes": {"values": shapes}} if left_open else {}
        with torch.no_grad():
            exported = torch.export.export(network, values, strict=False, **options)
        torch.export.save(exported, path)
    except Exception as error:  # what PyTorch cannot export is a finding
        print(json.dumps({"exported": False, "reason": first_line(error)}))
        return 0
    print(json.dumps({"exported": True, "export_seconds": round(time.process_time() - start, 1)}))
    return 0


def _built(name: str) -> torch.nn.Module:
    """A network with attention in one operator, where the library has that."""
    try:
        return telling(architecture(name, attention="sdpa"))
    except ValueError:
        return telling(architecture(name))


if __name__ == "__main__":
    sys.exit(main())
