"""Makes a module of PyTorch into what a smaller program is that was exported from it.

Parameters and buffers are replaced by name, then what forward methods read of their sizes: that of PyTorch's
own layers follows from the shapes, and of other modules from the numbers that changed in the program's text.
Whether it is all of it the program itself tells: both are run, and must give the same.
"""

from dataclasses import fields, is_dataclass
from itertools import combinations, islice, product
from typing import Any, Callable, Container, Iterator, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from prunec.embedded.slices import ParameterSlice, Problem, misfits, sliced

#: How far outputs may differ, measured by the largest of each: of elements of half the width, and of others.
_HALF_TOLERANCE, _TOLERANCE = 3e-2, 1e-4
_HALVES = ("torch.float16", "torch.bfloat16")
#: So many ways to set attributes are tried.
_MOST_WAYS = 64

Tensors = dict[str, Any]  # torch.Tensor by the name that the module has for it
#: An argument that changed in the program: its name, and the number or the list of numbers before and after;
#: None for a number that is open.
Number = tuple[str, Any, Any]


class Expected(NamedTuple):
    """What a module has to be before: how its tensors are cut, which share their elements with which, and
    which it may not have."""

    slices: Mapping[str, ParameterSlice]
    tied: Mapping[str, str]
    optional: Container[str]


def fit_module(
    module: Any,
    program: Any,
    new: Tensors,
    numbers: Mapping[str, Sequence[Number]],
    example_inputs: Optional[Sequence[Any]],
) -> None:
    """Makes a module into what a ``program`` (``torch.export.ExportedProgram``) is, with the tensors ``new``
    by their names.  ``numbers`` changed in the program, by the module whose forward method has them.

    Raises Problem, with the module as it was, where it does not compute what the program does.
    """
    held = tensors_of(module)
    changes = _Changes()
    try:
        for name, tensor in new.items():
            if name in held:
                changes.replace(held[name], tensor.to(held[name].device))
        wanted, inputs = _expected(program, new, example_inputs)
        _set_named(module, numbers, changes)
        _set_sizes(module, changes)
        _settle(module, numbers, changes, lambda: _difference(module, inputs, wanted))
    except BaseException:
        changes.undo()
        raise
    for name in new:
        if name in held:
            held[name].grad = None


def tensors_of(module: Any) -> Tensors:
    """The parameters and buffers of a module by name, those that are one tensor under each of their names."""
    parameters = module.named_parameters(remove_duplicate=False)
    return {**dict(parameters), **dict(module.named_buffers(remove_duplicate=False))}


def program_tensors(program: Any) -> Tensors:
    """The parameters, buffers and constants of a program by name."""
    constants = {name: own for name, own in program.constants.items() if hasattr(own, "detach")}
    return {name: own.detach() for name, own in {**constants, **program.state_dict}.items()}


def cut_tensors(module: Any, expected: Expected) -> Tensors:
    """The tensors of a module that are cut, as they are after it."""
    held = tensors_of(module)
    cuts = dict(expected.slices)
    cuts.update((own, cuts[first]) for own, first in expected.tied.items() if first in cuts)
    return {name: _cut(held[name].detach(), cut) for name, cut in cuts.items() if name in held}


def _cut(tensor: Any, cut: ParameterSlice) -> Any:
    import torch

    # By the places of elements, so that it works for all types and wherever the tensor is.
    places = sliced(np.arange(tensor.numel()).reshape(tuple(tensor.shape)), cut)
    index = torch.from_numpy(np.array(places).reshape(-1)).to(tensor.device)
    return tensor.reshape(-1)[index].reshape(places.shape)


def check_module(module: Any, expected: Expected) -> None:
    """Raises Problem where a module is not the one that the program was exported from."""
    held = tensors_of(module)
    problems = []
    for name, cut in expected.slices.items():
        names = [name, *(own for own, first in expected.tied.items() if first == name)]
        present = [own for own in names if own in held]
        if not present and name not in expected.optional:
            problems.append(f"the module has no {name!a}")
        for own in present:
            tensor = held[own]
            problems += misfits(cut, tuple(tensor.shape), str(tensor.dtype).split(".")[-1])
    if problems:
        raise Problem("; ".join((*problems, "the module is as it was")))


# --- changing, and back ----------------------------------------------------------------------------


class _Changes:
    """What was changed, to be undone."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def replace(self, tensor: Any, data: Any) -> None:
        """Gives a tensor other elements; it stays the tensor that it is, whoever has it."""
        old = tensor.data
        self._undo.append(lambda: setattr(tensor, "data", old))
        tensor.data = data

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Sets an attribute."""
        old = getattr(owner, name)
        self._undo.append(lambda: setattr(owner, name, old))
        setattr(owner, name, value)

    def undo(self, since: int = 0) -> None:
        """Takes back all changes, or those behind the first ones."""
        while len(self._undo) > since:
            self._undo.pop()()

    def count(self) -> int:
        """How many there are."""
        return len(self._undo)


# --- attributes ------------------------------------------------------------------------------------


def _set_named(module: Any, numbers: Mapping[str, Sequence[Number]], changes: _Changes) -> None:
    """Attributes that are called as the arguments they are given for: groups, num_groups and the like."""
    parts = dict(module.named_modules())
    for path, rows in numbers.items():
        for name, old, new in rows:
            owner = parts.get(path)
            value = getattr(owner, name, None)
            if isinstance(value, (list, tuple)) and tuple(value) == old:
                changes.set(owner, name, type(value)(new))
            elif isinstance(value, int) and value == old:
                changes.set(owner, name, new)


def _set_sizes(module: Any, changes: _Changes) -> None:
    """The sizes that PyTorch's own layers keep beside their parameters."""
    for part in module.modules():
        for name, value in _own_sizes(part).items():
            if getattr(part, name, value) != value:
                changes.set(part, name, value)


def _own_sizes(part: Any) -> dict[str, Any]:
    from torch import nn

    weight: Any = getattr(part, "weight", None)
    if isinstance(part, nn.modules.batchnorm._NormBase):
        first = next((own for own in (weight, part.running_mean) if own is not None), None)
        return {} if first is None else {"num_features": len(first)}
    if not hasattr(weight, "shape"):
        return {}
    shape = tuple(weight.shape)
    if isinstance(part, nn.modules.conv._ConvNd):
        given, taken = (1, 0) if part.transposed else (0, 1)
        sizes = [shape[0], shape[1] * part.groups]
        return {"out_channels": sizes[given], "in_channels": sizes[taken]}
    if isinstance(part, nn.Linear):
        return {"out_features": shape[0], "in_features": shape[1]}
    if isinstance(part, nn.Bilinear):
        return {"out_features": shape[0], "in1_features": shape[1], "in2_features": shape[2]}
    if isinstance(part, nn.Embedding):
        return {"num_embeddings": shape[0], "embedding_dim": shape[1]}
    if isinstance(part, nn.PReLU):
        return {"num_parameters": shape[0]}
    if isinstance(part, nn.GroupNorm):
        return {"num_channels": shape[0]}
    if isinstance(part, (nn.LayerNorm, getattr(nn, "RMSNorm", nn.LayerNorm))):
        return {"normalized_shape": shape}
    return {}


def _settle(
    module: Any,
    numbers: Mapping[str, Sequence[Number]],
    changes: _Changes,
    difference: Callable[[], str],
) -> None:
    """Sets as few as it takes of the attributes that hold numbers which changed in the program: others, such
    as the number of a layer, may be equal by chance."""
    found = _candidates(module, numbers)
    kinds = sorted(found)
    said = ""
    for way in _ways([max(len(values) for _, values in found[kind]) for kind in kinds]):
        start = changes.count()
        for place, choice in way.items():
            for owner, values in found[kinds[place]]:
                changes.set(owner, kinds[place][1], values[min(choice, len(values) - 1)])
        said = difference()
        if not said:
            return
        changes.undo(start)
    raise Problem(f"{said}; the module is as it was, and the smaller program needs none")


def _ways(counts: Sequence[int]) -> Iterator[dict[int, int]]:
    """Ways to choose among some things, each of several kinds: what is chosen by its place, and its kind.
    Those of few come first, all at once comes last, and there are not too many."""
    few = (
        dict(zip(places, kinds))
        for count in range(len(counts) + 1)
        for places in combinations(range(len(counts)), count)
        for kinds in product(*(range(counts[place]) for place in places))
    )
    yield from islice(few, _MOST_WAYS)
    yield dict.fromkeys(range(len(counts)), 0)


def _candidates(
    module: Any, numbers: Mapping[str, Sequence[Number]]
) -> dict[tuple[str, str], list[tuple[Any, list[int]]]]:
    """Whole numbers that modules hold and that changed in what their forward methods do: by the class and the
    name of the attribute, the modules with what may become of it.  PyTorch's own layers are done."""
    found: dict[tuple[str, str], list[tuple[Any, list[int]]]] = {}
    parts = dict(module.named_modules())
    for path, rows in numbers.items():
        owner = parts.get(path)
        new: dict[int, list[int]] = {}
        for old, value in (pair for row in rows for pair in _pairs(row)):
            if value not in new.setdefault(old, []):
                new[old].append(value)
        if owner is None or _own_sizes(owner):
            continue
        for name, value in vars(owner).items():
            if type(value) is int and value in new and not name.startswith("_"):
                found.setdefault((type(owner).__qualname__, name), []).append((owner, new[value]))
    return found


def _pairs(row: Number) -> Iterator[tuple[int, int]]:
    """The numbers of an argument that changed, before and after."""
    _, old, new = row
    for was, now in zip(old, new) if isinstance(old, tuple) else [(old, new)]:
        if was is not None and now is not None and was != now:
            yield was, now


# --- running both ----------------------------------------------------------------------------------


def _expected(
    program: Any, new: Tensors, example_inputs: Optional[Sequence[Any]]
) -> tuple[list[Any], tuple[Sequence[Any], Mapping[str, Any]]]:
    """What the program gives with some tensors, and the inputs: those given, or those of its export.  Raises
    Problem where there are none, or the program does not take them."""
    import torch

    inputs: tuple[Sequence[Any], Mapping[str, Any]]
    if example_inputs is not None:
        inputs = (example_inputs,) if torch.is_tensor(example_inputs) else tuple(example_inputs), {}
    elif program.example_inputs is not None:
        inputs = program.example_inputs
    else:
        raise Problem("the program has no example inputs; give some")
    device = next((own.device for own in program.state_dict.values()), "cpu")
    small = program.module()
    try:
        small.load_state_dict(new, strict=False)
        with torch.no_grad():
            given = small(*_on(inputs[0], device), **_on(inputs[1], device))
    except Exception as error:  # inputs of other sizes, tensors of other shapes
        reason = f"{type(error).__name__}: {error}"
        raise Problem(f"the smaller program does not run with this: {reason}") from None
    return [own.cpu() for own in _leaves(given)], inputs


def _difference(module: Any, inputs: tuple[Sequence[Any], Mapping[str, Any]], wanted: Sequence[Any]) -> str:
    """How the outputs of a module differ from those wanted, in words; "" where they do not."""
    import torch

    device = next((own.device for own in tensors_of(module).values()), "cpu")
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            given = list(_leaves(module(*_on(inputs[0], device), **_on(inputs[1], device))))
    except Exception as error:  # whatever the forward method cannot do with these sizes
        return f"the module does not run with the new sizes: {type(error).__name__}: {error}"
    finally:
        for part, mode in modes.items():
            part.training = mode
    if not wanted or len(given) != len(wanted):
        return f"the module gives {len(given)} tensors, the smaller program {len(wanted)}"
    return next(filter(None, map(_unlike, given, wanted)), "")


def _unlike(given: Any, wanted: Any) -> str:
    given = given.detach().cpu()
    if given.shape != wanted.shape:
        return f"the module gives a shape of {tuple(given.shape)}, the smaller program {tuple(wanted.shape)}"
    one, other = given.double().reshape(-1), wanted.double().reshape(-1)
    open_ = ~((one == other) | (one.isnan() & other.isnan()))
    if not bool(open_.any()):
        return ""
    half = str(wanted.dtype) in _HALVES or str(given.dtype) in _HALVES
    error = float((one - other)[open_].abs().max()) / max(float(other.abs().max()), 1e-30)
    if error <= (_HALF_TOLERANCE if half else _TOLERANCE) and wanted.is_floating_point():
        return ""
    return f"the module does not compute what the smaller program does: relative error {error:.1e}"


def _leaves(value: Any) -> Iterator[Any]:
    """The tensors of a result, in order."""
    if hasattr(value, "detach"):
        yield value
    elif isinstance(value, Mapping):
        for own in value.values():
            yield from _leaves(own)
    elif isinstance(value, (list, tuple)):
        for own in value:
            yield from _leaves(own)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _leaves(getattr(value, field.name))


def _on(value: Any, device: Any) -> Any:
    """Inputs with their tensors on a device."""
    if hasattr(value, "detach"):
        return value.to(device)
    if isinstance(value, dict):
        return {name: _on(own, device) for name, own in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_on(own, device) for own in value)
    return value
