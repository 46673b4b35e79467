"""Programs and parts of them with their tensors, to be run any number of times in PyTorch."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from prunec.embedded.pt2_tensors import TYPES
from prunec.frontends.pytorch.document import InputSpec, Symbolic, Value
from prunec.frontends.pytorch.interpreter import Part, Parts, element_type, missing, names, run
from prunec.frontends.pytorch.nested import with_calls_inlined
from prunec.frontends.pytorch.package import refused, torch_package
from prunec.frontends.pytorch.program import Program
from prunec.frontends.pytorch.symbol_values import number_of, symbol_values
from prunec.frontends.runtime import Array
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

#: Types of elements that numpy does not have, with the type that has their bits.
_BITS = {"bfloat16": np.int16}
_HALVES = ("float16", "bfloat16")


class Loaded:
    """A program as it is run; ``tied`` are other names of its tensors, each with the first."""

    def __init__(self, program: Program, tied: Mapping[str, str]) -> None:
        self.program, self.tied = program, tied
        self.text = with_calls_inlined(program)
        self.parts = Parts(self.text)

    @cached_property
    def specs(self) -> dict[str, InputSpec]:
        """The inputs of the graph by the names of the values; those that are neither tensors nor numbers that
        change are not among them."""
        specs = self.text.inputs
        return {spec.argument.name: spec for spec in specs if isinstance(spec.argument, (Value, Symbolic))}

    @cached_property
    def variables(self) -> dict[str, list[str]]:
        """The values that stand for each variable, an input or a parameter, by its name."""
        found: dict[str, list[str]] = {}
        for name, spec in self.specs.items():
            found.setdefault(self.tied.get(spec.target, spec.target) or name, []).append(name)
        return found

    def type_of(self, name: str) -> Optional[str]:
        """The type of a value's elements, where the file states it."""
        spec = self.specs.get(name)
        if spec is not None and spec.target:
            return self.program.type_of(spec.target)
        number = self.text.metas.get(name, {}).get("dtype")
        return TYPES[number][0] if isinstance(number, int) and number in TYPES else None

    def own(self, name: str, parameters: Mapping[str, Array]) -> Any:
        """The tensor of a parameter, buffer or constant, with the elements in ``parameters`` where these have
        some; read-only, whatever it says.  Raises PrunecError P701 for one that cannot be."""
        spec = self.specs[name]
        kind = self.program.type_of(spec.target)
        given = parameters.get(self.tied.get(spec.target, spec.target))
        if given is not None:
            return tensor_of(given, kind)
        raw = self.program.raw(spec.target)
        if kind not in _BITS:
            return tensor_of(raw, kind)
        return tensor_of(raw.view(_BITS[kind]), None).view(element_type(kind, spec.target))

    def may_change(self, name: str) -> bool:
        """Whether a run may write to a value that it is given: buffers are changed without saying so."""
        spec = self.specs.get(name)
        return self.parts.is_written(name) or (spec is not None and spec.kind == "buffer")


@dataclass(frozen=True, eq=False)
class PytorchSession:
    """A part of a program, ready to be run; ``feeds`` are the values that stand for what it is given."""

    loaded: Loaded
    part: Part
    fetches: tuple[str, ...]
    feeds: Mapping[Any, tuple[str, ...]]
    own: Mapping[str, Any]
    numbers: Mapping[str, int]
    last: bool = False
    zeroed: tuple[str, ...] = ()

    def run(self, inputs: Mapping[Any, Array]) -> list[Array]:
        """One run, for inference; inputs are brought to the types of the program, results of fewer than
        32 bits to float32.

        Raises PrunecError P701 where PyTorch fails.
        """
        with torch_package().inference_mode():
            values = self.values(inputs)
            return [array_of(value) for value in self.tensors(values, copied=True)]

    def values(self, inputs: Mapping[Any, Array]) -> dict[str, Any]:
        """What the part starts from: all its sources by name, copies where it may write to them."""
        values: dict[str, Any] = {**self.own, **self.numbers}
        for key, array in inputs.items():
            for name in self.feeds.get(key, ()):
                values[name] = tensor_of(array, self.loaded.type_of(name))
        for name in values.keys() - self.numbers.keys():
            if self.loaded.may_change(name):
                values[name] = values[name].clone()
        return values

    def tensors(self, values: dict[str, Any], copied: bool = False) -> list[Any]:
        """The values that are fetched, as tensors of PyTorch; ``copied``: as they are when they are made."""
        wanted = frozenset(self.fetches)
        found = {
            name: values[name] for name in wanted if name in values and name not in self.loaded.parts.made
        }
        given = {name for own in self.feeds.values() for name in own}

        def keep(name: str, value: Any) -> None:
            if name in wanted:
                written = copied and not self.last and self.loaded.parts.is_written(name)
                found[name] = value.clone() if written else value

        run(self.loaded.parts, self.part, values, keep, given)
        return [found[name] for name in self.fetches]


def open_session(
    loaded: Loaded,
    feeds: Mapping[Any, tuple[Sequence[str], Array]],
    fetches: Sequence[str],
    parameters: Mapping[str, Array],
    last: bool = False,
) -> PytorchSession:
    """Makes ready what computes the values ``fetches`` from feeds shaped like these: what each is given by,
    with the values that it stands for.  ``last``: the values as they are when the program ends.

    Raises PrunecError P700 without PyTorch, P701, P704 for a value that the program does not have, P705 where
    something is given for an input that is needed.
    """
    torch_package()
    parts = loaded.parts
    absent = [name for name in fetches if name not in parts.made and name not in loaded.specs]
    if absent:
        raise missing(absent[0], len(absent))
    shapes = {name: array.shape for own, array in feeds.values() for name in own}
    numbers = _numbers(loaded, shapes)
    part = parts.part({*shapes, *numbers}, fetches, last)
    own: dict[str, Any] = {}
    for name in sorted(part.sources - shapes.keys() - numbers.keys()):
        spec = loaded.specs.get(name)
        if spec is None or not spec.target:
            raise _not_given(name, spec)
        own[name] = loaded.own(name, parameters)
    used = {name: number for name, number in numbers.items() if name in part.sources}
    return PytorchSession(
        loaded, part, tuple(fetches), {key: tuple(own) for key, (own, _) in feeds.items()}, own, used, last
    )


def _numbers(loaded: Loaded, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The sizes that follow from the shapes of what is given, where the program computes them from something
    else."""
    text = loaded.text
    stated = []
    for name, shape in shapes.items():
        sizes = text.metas.get(name, {}).get("sizes")
        if isinstance(sizes, list) and len(sizes) == len(shape):
            stated += list(zip(sizes, shape))
    known = symbol_values(stated)
    found: dict[str, int] = {}
    computed: set[str] = set()
    for name, entry in text.symbols.items():
        place = loaded.parts.made.get(name)
        sources = [] if place is None else names(own for _, own in text.nodes[place].arguments)
        if sources and all(source in shapes or source in computed for source in sources):
            computed.add(name)
            continue
        number = number_of(entry, known)
        if number is not None:
            found[name] = number
    return found


def _not_given(name: str, spec: Optional[InputSpec]) -> PrunecError:
    if spec is not None and isinstance(spec.argument, Value) and spec.kind == "user_input":
        note = "it is needed for the values that are asked for, or for a size that no other shape tells"
        help_text = "give the input, or examples of it"
    else:
        kind = "a size" if spec is None or isinstance(spec.argument, Symbolic) else f"a {spec.kind}"
        note = f"it is {kind} that the shapes of what is given do not tell"
        help_text = "export the model with tensors as its only inputs"
    headline = f"nothing is given for the input {printable(name, 80)!r}"
    return PrunecError(Diagnostic("P705", headline, notes=(note,), help=help_text))


# --- arrays and tensors ----------------------------------------------------------------------


def tensor_of(array: Array, kind: Optional[str]) -> Any:
    """An array as a tensor of a type of elements (``None``: its own), its memory shared where it can be: it
    must not be written to.  Raises PrunecError P701."""
    torch = torch_package()
    dtype = None if kind is None else element_type(kind, "an input")
    try:
        with warnings.catch_warnings():
            # That the memory is read-only; nothing writes to it.
            warnings.simplefilter("ignore")
            tensor = torch.from_numpy(np.asarray(array, order="C"))
        return tensor if dtype is None else tensor.to(dtype)
    except Exception as error:  # a type that PyTorch does not have
        raise refused(error, "an input", "PyTorch does not take an array") from None


def array_of(tensor: Any) -> Array:
    """A copy of a tensor as an array; float16 and bfloat16 as float32."""
    torch = torch_package()
    if not isinstance(tensor, torch.Tensor):
        return np.asarray(tensor)
    if str(tensor.dtype).rpartition(".")[2] in _HALVES:
        tensor = tensor.float()
    try:
        return np.array(tensor.detach().resolve_conj().resolve_neg().numpy())
    except Exception as error:  # sparse tensors, and types that numpy does not have
        raise refused(error, "an output", "PyTorch gives what numpy does not have") from None
