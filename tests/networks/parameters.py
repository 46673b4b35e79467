"""Random values that hide no mistake: all different, none of them zero or one."""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from networks.case import Case


def random_parameters(symbol: Any, inputs: Mapping[str, tuple[int, ...]], seed: int) -> dict[str, np.ndarray]:
    """A float32 array by bare name for each argument and auxiliary state, but for the inputs.

    Shapes are inferred from the inputs' shapes.  Labels of training outputs are left out.
    """
    shapes, _, states = symbol.infer_shape_partial(**inputs)
    named = [*zip(symbol.list_arguments(), shapes), *zip(symbol.list_auxiliary_states(), states)]
    generator = np.random.default_rng(seed)
    values = {}
    for name, shape in named:
        if name in inputs or name.endswith("label"):
            continue
        if not shape or 0 in shape:
            raise AssertionError(f"the shape of {name} does not follow from {dict(inputs)}")
        values[name] = _draw(name, shape, generator).astype(np.float32)
    return values


def _draw(name: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if name.endswith("var"):
        return generator.uniform(0.5, 2.0, shape)
    if name.endswith("gamma"):
        return generator.uniform(0.5, 1.5, shape) * generator.choice((-1.0, 1.0), shape)
    if len(shape) < 2 or name.endswith(("bias", "beta", "mean")):
        return 0.1 * generator.standard_normal(shape)
    # The variance that keeps the size of activations through a rectifier.  Where the second axis has
    # size one there is one input channel to an output (depthwise), or a factor for each channel.
    fan_in = int(np.prod(shape[1:]))
    return np.sqrt(2.0 / fan_in) * generator.standard_normal(shape)


def random_inputs(case: Case, seed: int) -> dict[str, np.ndarray]:
    """Normally distributed values for each input, whole numbers below the bound where the case says so."""
    generator = np.random.default_rng(seed)
    return {
        name: generator.integers(0, case.integers[name], shape).astype(np.float32)
        if name in case.integers
        else generator.standard_normal(shape).astype(np.float32)
        for name, shape in case.inputs.items()
    }
