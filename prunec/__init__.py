"""prunec: a compiler that makes trained neural networks smaller.

In one call, which gives a result to save, to prove and to look at::

    import prunec

    result = prunec.compile("net.onnx", ratio=0.3)  # or "net-symbol.json", "net.pt2"
    result.verify().proved
    result.save("smaller")

Step by step, for a choice of one's own::

    model = prunec.read_model("net-symbol.json")
    analysis = prunec.analyse(model, prunec.load_rules("default"))  # "onnx" for ONNX, "aten" for PyTorch
    groups = prunec.groups(analysis)  # parameters, axes and positions of each unit
    plan = prunec.make_plan(analysis, ratio=0.3)  # or an array of one's own: plan.removed
    pruned = prunec.emit(analysis, plan.removed)  # pruned.model: the bytes of the smaller symbol file
    weight = prunec.sliced(pruned.slices[0], model.parameter(pruned.slices[0].name))

``plan.removed`` is an array of truth values, one for each unit; ``groups[k].units`` are the numbers of the
units of group ``k``.  Everything raises :class:`PrunecError`, which carries its messages as ``diagnostics``;
:func:`render` turns one into text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.2.0"

if TYPE_CHECKING:
    from prunec.analysis.analyse import Analysis as Analysis
    from prunec.analysis.analyse import analyse as analyse
    from prunec.channels.removal import uniform as uniform
    from prunec.compiling.compile import compile as compile
    from prunec.compiling.groups import ChannelGroup as ChannelGroup
    from prunec.compiling.groups import GroupMember as GroupMember
    from prunec.compiling.groups import groups as groups
    from prunec.compiling.result import CompiledModel as CompiledModel
    from prunec.compiling.result import Proof as Proof
    from prunec.frontends.registry import read_model as read_model
    from prunec.language.library import RuleSet as RuleSet
    from prunec.language.library import load as load_rules
    from prunec.model import FileModel as FileModel
    from prunec.planning.checked import emit_choice as emit
    from prunec.planning.choose import Plan as Plan
    from prunec.planning.choose import make_plan as make_plan
    from prunec.rewriting.emit import Pruned as Pruned
    from prunec.rewriting.slicing import mask_array as masked
    from prunec.rewriting.slicing import slice_array as sliced
    from prunec.support.diagnostics import Diagnostic as Diagnostic
    from prunec.support.diagnostics import PrunecError as PrunecError
    from prunec.support.diagnostics import render as render

#: Where each name lives; nothing is imported before it is used, so that the command line starts fast.
_HOMES = {
    "Analysis": ("prunec.analysis.analyse", "Analysis"),
    "ChannelGroup": ("prunec.compiling.groups", "ChannelGroup"),
    "CompiledModel": ("prunec.compiling.result", "CompiledModel"),
    "Diagnostic": ("prunec.support.diagnostics", "Diagnostic"),
    "FileModel": ("prunec.model", "FileModel"),
    "GroupMember": ("prunec.compiling.groups", "GroupMember"),
    "Plan": ("prunec.planning.choose", "Plan"),
    "Proof": ("prunec.compiling.result", "Proof"),
    "Pruned": ("prunec.rewriting.emit", "Pruned"),
    "PrunecError": ("prunec.support.diagnostics", "PrunecError"),
    "RuleSet": ("prunec.language.library", "RuleSet"),
    "analyse": ("prunec.analysis.analyse", "analyse"),
    "compile": ("prunec.compiling.compile", "compile"),
    "emit": ("prunec.planning.checked", "emit_choice"),
    "groups": ("prunec.compiling.groups", "groups"),
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
    "ChannelGroup",
    "CompiledModel",
    "Diagnostic",
    "FileModel",
    "GroupMember",
    "Plan",
    "Proof",
    "Pruned",
    "PrunecError",
    "RuleSet",
    "analyse",
    "compile",
    "emit",
    "groups",
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


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
