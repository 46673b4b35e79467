"""Gradients of a loss in PyTorch."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Optional

import numpy as np

from prunec.examples import Data
from prunec.frontends.pytorch.package import refused, torch_package
from prunec.frontends.pytorch.sessions import Loaded, array_of, open_session
from prunec.frontends.runtime import Array, Gradient

#: Sums of squares below this are zero.
_TINY = 1e-30
#: How far the sum of probabilities may be from one.
_ROUNDING = 1e-3


def gradients(loaded: Loaded, outputs: tuple[str, ...], data: Data) -> Iterator[Gradient]:
    """See :meth:`prunec.frontends.runtime.Runtime.gradients`.  Buffers (statistics of normalisation among
    them) have a gradient of zero."""
    torch = torch_package()
    for inputs, labels in data.batches():
        feeds = {key: (tuple(loaded.variables.get(key, ())), array) for key, array in inputs.items()}
        session = open_session(loaded, feeds, outputs, {}, last=True)
        with torch.enable_grad():
            values = session.values(inputs)
            trained = _trained(loaded, values)
            found = session.tensors({**values, **trained})
            losses = [loss for loss in (_loss(torch, value, labels) for value in found) if loss is not None]
            try:
                if losses and trained:
                    sum(losses[1:], losses[0]).backward()
            except Exception as error:  # an operator that has no gradient, or values that were written to
                raise refused(error, "gradients", "PyTorch cannot compute the gradients") from None

        def gradient(name: str, trained: Mapping[str, Any] = trained) -> Array:
            own = [trained[value] for value in loaded.variables.get(name, ()) if value in trained]
            parts = [array_of(tensor.grad) for tensor in own if tensor.grad is not None]
            if parts:
                # The values of a tied parameter are one leaf each.
                return np.asarray(sum(parts[1:], parts[0]))
            return np.zeros(loaded.program.array(name).shape, np.float32)

        yield gradient


def _trained(loaded: Loaded, values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters among values, as tensors that gradients are wanted for."""
    return {
        name: values[name].detach().requires_grad_()
        for name, spec in loaded.specs.items()
        if spec.kind == "parameter" and name in values and values[name].is_floating_point()
    }


def _loss(torch: Any, value: Any, labels: Optional[Array]) -> Any:
    """What an output adds to the loss; ``None`` for one that no parameter has a say in."""
    if not isinstance(value, torch.Tensor) or not value.is_floating_point() or not value.requires_grad:
        return None
    value = value.double()
    if labels is not None and value.ndim == 2 and value.shape[1] > int(labels.max()):
        rows = torch.arange(len(labels))
        classes = torch.from_numpy(labels)
        sums = value.detach().sum(dim=1)
        if bool((value >= 0).all()) and bool(((sums - 1).abs() <= _ROUNDING).all()):
            return -torch.log(torch.clamp(value[rows, classes], min=1e-12)).mean()
        return torch.nn.functional.cross_entropy(value, classes)
    # Half the sum of squares of the output brought to length one, its length held fast.
    return (value * value).sum() / (2 * torch.clamp((value.detach() ** 2).sum(), min=_TINY))
