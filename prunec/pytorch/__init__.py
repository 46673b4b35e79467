"""For users of PyTorch: a module made smaller in one line, and programs in training mode::

    from prunec.pytorch import prune, training

    smaller = prune(model, (images,), ({0: torch.export.Dim("batch")},), ratio=0.5, data=examples)
    optimiser = torch.optim.AdamW(smaller.module.parameters())  # smaller.exported is in eval mode

PyTorch is imported where something is called, and not before.
"""

from __future__ import annotations

from prunec.pytorch.programs import training
from prunec.pytorch.pruning import PrunedModule, prune

__all__ = ["PrunedModule", "prune", "training"]
