"""What nodes of a program call: operators of PyTorch, and arithmetic on sizes.

The names come from files of strangers.  Operators alone are called, those of ATen as far as the table of
schemas lists them, and functions of numbers from a table; nothing else that a name could lead to.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional

from prunec.frontends.pytorch.names import operator_name
from prunec.frontends.pytorch.package import torch_package
from prunec.frontends.pytorch.schemas import schema
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

_OPERATORS = "torch.ops."
_ATEN = "aten"
#: Namespaces of PyTorch's own that no program needs: their operators open files, wait for other processes or
#: look into memory.
_CLOSED = frozenset(
    (
        "_c10d_functional",
        "_c10d_functional_autograd",
        "_dtensor",
        "_test",
        "c10d",
        "debug_mode_ops",
        "debugprims",
        "inductor",
        "inductor_prims",
        "profiler",
        "static_runtime",
        "symm_mem",
    )
)
#: Powers of sizes beyond this exponent are no sizes.
_MOST_POWER = 64


@dataclass(frozen=True, eq=False)
class ResolvedOperator:
    """What a node calls.

    ``kinds`` are the types of the arguments by name, in order; an operator takes them by name, a function
    (``positional``) in the order of the file.  ``written`` are the arguments that are changed, ``shared``
    those of which results are views, where they are (``gives_views``).
    """

    function: Callable[..., Any]
    kinds: Mapping[str, str]
    written: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset()
    gives_views: bool = False
    positional: bool = False


def operation(target: str) -> ResolvedOperator:
    """What a target of the file stands for.  Raises PrunecError P700 without PyTorch, P701 for what is no
    operator, and for one that is not there."""
    if target in _FUNCTIONS:
        return ResolvedOperator(_FUNCTIONS[target], {}, positional=True)
    overload = _overload(target)
    if overload is None:
        raise _unknown(target)
    arguments = overload._schema.arguments
    changed = {a.name for a in arguments if a.alias_info is not None and a.alias_info.is_write}
    shared = {a.name for a in arguments if a.alias_info is not None}
    kinds = {argument.name: str(argument.real_type) for argument in arguments}
    gives_views = any(result.alias_info is not None for result in overload._schema.returns)
    return ResolvedOperator(overload, kinds, frozenset(changed), frozenset(shared), gives_views)


def _overload(target: str) -> Optional[Any]:
    """The operator of a target; ``None`` where it is none that may be called."""
    torch = torch_package()
    parts = target[len(_OPERATORS) :].split(".") if target.startswith(_OPERATORS) else []
    if len(parts) != 3 or not all(part.isidentifier() for part in parts) or parts[0] in _CLOSED:
        return None
    if parts[0] == _ATEN and schema(operator_name(target)) is None:
        return None
    found: Any = torch.ops
    try:
        for part in parts:
            found = getattr(found, part)
    except (AttributeError, RuntimeError):  # a namespace, an operator or an overload that is not there
        return None
    return found if isinstance(found, torch._ops.OpOverload) else None


def _unknown(target: str) -> PrunecError:
    name = printable(operator_name(target), 120)
    return PrunecError(
        Diagnostic(
            "P701",
            f"PyTorch has no operator {name!r} that a program may call",
            notes=("it belongs to a library that was not imported, to another version, or to none",),
            help="import the library that brings it in a file for --register, or install the PyTorch that "
            "exported the program",
        )
    )


# --- arithmetic on sizes ---------------------------------------------------------------------


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > _MOST_POWER:
        raise ValueError(f"a size to the power of {exponent}")
    return base**exponent


def _shift(number: Any, places: Any) -> Any:
    if abs(places) > _MOST_POWER:
        raise ValueError(f"a size shifted by {places}")
    return operator.lshift(number, places)


_SIMPLE = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "neg", "pos", "rshift"),
    *("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_"),
)
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{f"_operator.{name}": getattr(operator, name) for name in _SIMPLE},
    "_operator.pow": _power,
    "_operator.lshift": _shift,
    "builtins.max": max,
    "builtins.min": min,
    "math.ceil": math.ceil,
    "math.floor": math.floor,
    "math.sqrt": math.sqrt,
    "math.trunc": math.trunc,
    "torch._sym_sqrt": math.sqrt,
    "torch.sym_float": float,
    "torch.sym_int": int,
    "torch.sym_ite": lambda condition, yes, no: yes if condition else no,
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_not": operator.not_,
    "torch.sym_sum": sum,
}
