"""What operators are called: in the files of PyTorch, and in rules.

``torch.ops.aten.conv2d.default`` is ``conv2d`` in rules, ``torch.ops.aten.add.Tensor`` is ``add.Tensor``,
``torch.ops.torchvision.nms.default`` is ``torchvision::nms`` and ``_operator.mul`` is ``_operator::mul``.
"""

from __future__ import annotations

_OPERATORS = "torch.ops."
_OWN_NAMESPACE = "aten"
_DEFAULT = "default"
#: Operators that run graphs; they have no overloads.
_HIGHER_ORDER = "higher_order"
#: Modules of Python whose functions work on sizes.
_MODULES = ("_operator", "builtins", "math", "torch")


def operator_name(target: str) -> str:
    """The name in rules of what a node of a file calls."""
    if not target.startswith(_OPERATORS):
        namespace, _, name = target.rpartition(".")
        return f"{namespace}::{name}" if namespace else name
    namespace, _, own = target[len(_OPERATORS) :].partition(".")
    own, _, overload = own.partition(".")
    if overload and overload != _DEFAULT:
        own = f"{own}.{overload}"
    return own if namespace == _OWN_NAMESPACE else f"{namespace}::{own}"


def target_of(name: str) -> str:
    """What a node of a file calls for an operator of that name: the inverse of :func:`operator_name`."""
    namespace, separator, own = name.rpartition("::")
    if separator and (namespace in _MODULES or "." in namespace):
        return f"{namespace}.{own}"
    if namespace == _HIGHER_ORDER:
        return f"{_OPERATORS}{namespace}.{own}"
    own, _, overload = own.partition(".")
    return f"{_OPERATORS}{namespace or _OWN_NAMESPACE}.{own}.{overload or _DEFAULT}"
