"""What MXNet's registry says of its operators: their inputs, their attributes, and what values those take."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional

from prunec.frontends.mxnet.package import mxnet
from prunec.frontends.operators import Argument, Operator, Registered

_CHOICES = re.compile(r"\{([^}]*)\}")
#: An attribute that no operator has: how an operator answers to it says whether it takes any.
_NOBODYS_ATTRIBUTE = "prunec_nobodys_attribute"


#: Why operators need MXNet.
PURPOSE = "rules are proved by running the operators; importing MXNet gave"


@dataclass(frozen=True)
class Wiring:
    """How an operator with given attributes is wired: its inputs' names, which of them are states that it
    keeps (moving averages), and how many outputs a model can use."""

    inputs: tuple[str, ...]
    states: frozenset[str]
    outputs: int


@lru_cache(maxsize=4096)
def find_operator(name: str) -> Optional[Operator]:
    """The operator of the registry with that name or alias, ``None`` where there is none."""
    library = mxnet(PURPOSE).base._LIB
    handle = ctypes.c_void_p()
    if library.NNGetOpHandle(name.encode(), ctypes.byref(handle)) != 0:
        return None
    texts = ctypes.POINTER(ctypes.c_char_p)
    own, documentation, counted_by, result = (ctypes.c_char_p() for _ in range(4))
    count = ctypes.c_uint()
    names, types, descriptions = texts(), texts(), texts()
    found = (own, documentation, count, names, types, descriptions, counted_by, result)
    if library.MXSymbolGetAtomicSymbolInfo(handle, *(ctypes.byref(value) for value in found)) != 0:
        return None
    arguments = [_argument(_text(names[i]), _text(types[i])) for i in range(count.value)]
    listed = tuple(argument for argument in arguments if argument is not None)
    return Operator(name, listed, _text(counted_by.value) or None, _takes_any_attribute(name))


def operator_names() -> tuple[str, ...]:
    """The names of all operators, aliases included, sorted."""
    base = mxnet(PURPOSE).base
    count = ctypes.c_uint()
    names = ctypes.POINTER(ctypes.c_char_p)()
    base.check_call(base._LIB.MXListAllOpNames(ctypes.byref(count), ctypes.byref(names)))
    return tuple(sorted(_text(names[i]) for i in range(count.value)))


def registered() -> dict[str, Registered]:
    """The attributes of all operators."""
    found: dict[str, Registered] = {}
    for name in operator_names():
        operator = find_operator(name)
        if operator is None:
            continue
        attributes = [argument.name for argument in operator.arguments]
        if operator.counted_by and operator.counted_by not in attributes:
            attributes.append(operator.counted_by)
        found[name] = Registered(tuple(attributes), bool(attributes) and operator.takes_any)
    return found


def _takes_any_attribute(name: str) -> bool:
    """Whether an operator takes attributes that it does not list, as those written in Python do."""
    base = mxnet(PURPOSE).base
    handle, symbol = ctypes.c_void_p(), base.SymbolHandle()
    base.check_call(base._LIB.NNGetOpHandle(name.encode(), ctypes.byref(handle)))
    keys, values = base.c_str_array([_NOBODYS_ATTRIBUTE]), base.c_str_array(["1"])
    code = base._LIB.MXSymbolCreateAtomicSymbol(handle, ctypes.c_uint(1), keys, values, ctypes.byref(symbol))
    if code == 0:
        base._LIB.NNSymbolFree(symbol)
        return True
    # An operator may miss something else first.
    return _NOBODYS_ATTRIBUTE not in base.py_str(base._LIB.MXGetLastError())


def signature(name: str, attributes: dict[str, str]) -> Wiring:
    """How MXNet wires an operator with these attribute texts.  Raises MXNet's own error where it refuses."""
    mx = mxnet(PURPOSE)
    base = mx.base
    handle = ctypes.c_void_p()
    base.check_call(base._LIB.NNGetOpHandle(name.encode(), ctypes.byref(handle)))
    symbol_handle = base.SymbolHandle()
    keys, values = list(attributes), list(attributes.values())
    base.check_call(
        base._LIB.MXSymbolCreateAtomicSymbol(
            handle,
            ctypes.c_uint(len(keys)),
            base.c_str_array(keys),
            base.c_str_array(values),
            ctypes.byref(symbol_handle),
        )
    )
    symbol = mx.sym.Symbol(symbol_handle)
    symbol._compose(name="node")
    return Wiring(
        tuple(symbol.list_inputs()), frozenset(symbol.list_auxiliary_states()), len(symbol.list_outputs())
    )


def _text(value: Optional[bytes]) -> str:
    return (value or b"").decode("utf-8", "replace")


def _argument(name: str, kind: str) -> Optional[Argument]:
    """An attribute from MXNet's own words for its type; ``None`` for a tensor."""
    word = re.split(r",\s*(?:optional|required)", kind)[0]
    if word.startswith(("NDArray", "Symbol")):
        return None
    required = "required" in kind
    nullable = "or None" in word or "{None" in word or "'None'" in word
    choices = _CHOICES.match(word)
    if choices is not None:
        words = [part.strip().strip("'") for part in choices.group(1).split(",")]
        return Argument(name, "choice", tuple(w for w in words if w != "None"), nullable, required)
    for start, meaning in (
        ("boolean", "boolean"),
        ("int", "integer"),
        ("long", "integer"),
        ("float", "float"),
        ("double", "float"),
        ("Shape", "tuple"),
        ("tuple", "tuple"),
    ):
        if word.startswith(start):
            # An entry of a tuple may be None.
            return Argument(name, meaning, (), nullable or meaning == "tuple", required)
    return Argument(name, "text", (), nullable, required)
