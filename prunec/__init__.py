"""prunec: a compiler that makes trained neural networks smaller.

The Python interface, in the order in which it is used::

    import prunec
    from pathlib import Path

    rules = prunec.load_rules(["default"])                      # for an ONNX file ["onnx"]
    model = prunec.read_model(Path("net-symbol.json"))          # with net-0000.params beside it, or net.onnx
    analysis = prunec.analyse(model, rules)                     # groups: analysis.solution.groups
    plan = prunec.make_plan(analysis, ratio=0.5)                # or a choice of one's own: plan.removed
    pruned = prunec.emit(analysis, plan.removed)
    Path("small-symbol.json").write_bytes(pruned.model)
    weight = prunec.sliced(pruned.slices[0], model.parameter(pruned.slices[0].name))

``plan.removed`` is an array of truth values, one for each unit; ``analysis.solution.groups[k].units`` are
the numbers of the units of group ``k``.  Everything raises :class:`PrunecError`, which carries its messages
as ``diagnostics``; :func:`render` turns one into text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from prunec.analysis.analyse import Analysis, analyse
    from prunec.channels.removal import uniform
    from prunec.frontends.registry import read_model
    from prunec.language.library import RuleSet
    from prunec.language.library import load as load_rules
    from prunec.model import FileModel
    from prunec.planning.choose import Plan, make_plan
    from prunec.rewriting.emit import Pruned, emit
    from prunec.rewriting.slicing import mask_array as masked
    from prunec.rewriting.slicing import slice_array as sliced
    from prunec.support.diagnostics import Diagnostic, PrunecError, render

#: Where each name lives; nothing is imported before it is used, so that the command line starts fast.
_HOMES = {
    "Analysis": ("prunec.analysis.analyse", "Analysis"),
    "Diagnostic": ("prunec.support.diagnostics", "Diagnostic"),
    "FileModel": ("prunec.model", "FileModel"),
    "Plan": ("prunec.planning.choose", "Plan"),
    "Pruned": ("prunec.rewriting.emit", "Pruned"),
    "PrunecError": ("prunec.support.diagnostics", "PrunecError"),
    "RuleSet": ("prunec.language.library", "RuleSet"),
    "analyse": ("prunec.analysis.analyse", "analyse"),
    "emit": ("prunec.rewriting.emit", "emit"),
    "load_rules": ("prunec.language.library", "load"),
    "make_plan": ("prunec.planning.choose", "make_plan"),
    "masked": ("prunec.rewriting.slicing", "mask_array"),
    "read_model": ("prunec.frontends.registry", "read_model"),
    "render": ("prunec.support.diagnostics", "render"),
    "sliced": ("prunec.rewriting.slicing", "slice_array"),
    "uniform": ("prunec.channels.removal", "uniform"),
}

__all__ = [
    "Analysis",
    "Diagnostic",
    "FileModel",
    "Plan",
    "Pruned",
    "PrunecError",
    "RuleSet",
    "analyse",
    "emit",
    "load_rules",
    "make_plan",
    "masked",
    "read_model",
    "render",
    "sliced",
    "uniform",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'prunec' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value: object = getattr(import_module(module), attribute)
    globals()[name] = value
    return value
